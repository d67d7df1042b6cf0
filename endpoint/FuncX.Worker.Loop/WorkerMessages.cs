using System.Text.Json.Serialization;
using FuncX.Wire;

namespace FuncX.Workers;

/// <summary>A function as a worker is told of it.</summary>
public sealed record FunctionMessage
{
    public string Id { get; set; } = "";

    public string Kind { get; set; } = "";

    public string Name { get; set; } = "";

    public string Entry { get; set; } = "";

    public string Source { get; set; } = "";
}

internal sealed record WorkerHello(string Role, string Version, int ProtocolMinimum, int ProtocolMaximum, int Pid, string Runtime);

internal sealed record RefusedMessage(string Reason = "");

/// <summary>The manager's welcome: the limits that hold for every task. Settable, since generated readers give no default to what can only be initialised.</summary>
public sealed record WorkerWelcome
{
    public int Protocol { get; set; }

    /// <summary>Most bytes of stdout, and of stderr, of one task.</summary>
    public long OutputLimit { get; set; } = 1 << 20;

    /// <summary>Most bytes of one result.</summary>
    public long ResultLimit { get; set; } = 10L << 30;

    public long ArgumentLimit { get; set; } = 10L << 30;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(FunctionMessage))]
[JsonSerializable(typeof(WorkerHello))]
[JsonSerializable(typeof(WorkerWelcome))]
[JsonSerializable(typeof(RefusedMessage))]
[JsonSerializable(typeof(FailureBody))]
internal sealed partial class WorkerJson : JsonSerializerContext;
