using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using FuncX.Definitions;
using FuncX.Wire;
using FuncX.Workers;

namespace FuncX.Worker;

/// <summary>Runs functions of kind <c>dotnet</c>: each package in a load context of its own, which is unloaded when it was not used lately.</summary>
internal sealed class DotnetRunner : IFunctionRunner<DotnetFunction>, IDisposable
{
    private const int MostLoaded = 16;

    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.General) { IncludeFields = true, MaxDepth = 256 };

    private readonly string _directory = Path.GetFullPath(Path.Combine("functions", Environment.ProcessId.ToString(CultureInfo.InvariantCulture)));
    private readonly LinkedList<DotnetFunction> _loaded = new();
    private readonly PosixSignalRegistration _terminate;
    private CancellationTokenSource? _ending;
    private volatile bool _isToldToEnd;
    private int _defined;

    public DotnetRunner()
    {
        RemoveDead();

        // A function that takes a CancellationToken is asked to end; any other ends with the process.
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            if (Volatile.Read(ref _ending) is not { } ending)
                return;
            signal.Cancel = true;
            _isToldToEnd = true;
            ending.Cancel();
        });
    }

    public string Runtime => $"dotnet {Environment.Version}";

    public DotnetFunction Define(FunctionMessage function) =>
        new(DotnetEntry.Parse(function.Entry), Convert.FromBase64String(function.Source), Path.Combine(_directory, (_defined++).ToString(CultureInfo.InvariantCulture)));

    public Answer Run(DotnetFunction function, in FrameHeader task, byte[] arguments, WorkerWelcome limits)
    {
        object? value;
        try
        {
            Use(function);
            var call = task.ContentType switch
            {
                ContentType.None => CallArguments.None,
                ContentType.Json => CallArguments.Read(arguments),
                _ => throw new ArgumentsException(".NET functions take JSON arguments; these are pickled or bytes"),
            };
            value = Call(function, call);
        }
        catch (Exception problem) when (_isToldToEnd && (problem.InnerException ?? problem) is OperationCanceledException)
        {
            // By the manager, which has the outcome, or by who ends the whole job.
            return Answer.Failed("Terminated", "the function was told to end before it was done", problem.ToString(), TaskOutcome.Cancelled);
        }
        catch (TargetInvocationException problem) when (problem.InnerException is not null)
        {
            return Failure(problem.InnerException);
        }
        catch (ArgumentsException problem)
        {
            return Answer.Failed("ArgumentError", problem.Message);
        }
        catch (DefinitionException problem)
        {
            return Answer.Failed("PackageError", problem.Message);
        }
        catch (Exception problem)
        {
            return Failure(problem);
        }

        try
        {
            return Answer.Json(JsonSerializer.SerializeToUtf8Bytes(value, value?.GetType() ?? typeof(object), s_json));
        }
        catch (OutOfMemoryException problem)
        {
            // What was too large was never made: there is room for these few words.
            return Failure(problem);
        }
        catch (Exception problem)
        {
            return Answer.Failed("UnserialisableResult", $"the result, of type {value?.GetType().FullName}, cannot be written as JSON: {problem.Message}");
        }
    }

    public void Dispose()
    {
        _terminate.Dispose();
        _ending?.Dispose();
        Remove(_directory);
    }

    private static Answer Failure(Exception problem) => Answer.Failed(problem.GetType().FullName ?? problem.GetType().Name, problem.Message, problem.ToString());

    private object? Call(DotnetFunction function, CallArguments call)
    {
        var parameters = function.Method!.GetParameters();
        var names = parameters.Where(static parameter => parameter.ParameterType != typeof(CancellationToken)).Select(static parameter => parameter.Name!).ToList();
        var defaults = parameters.Where(static parameter => parameter.HasDefaultValue).ToDictionary(static parameter => parameter.Name!, static _ => default(JsonElement), StringComparer.Ordinal);
        var given = call.Bind(names, defaults);
        using var ending = new CancellationTokenSource();
        var takesToken = parameters.Length > names.Count;
        var values = parameters.Select(parameter => parameter.ParameterType == typeof(CancellationToken) ? ending.Token : Value(parameter, given[parameter.Name!])).ToArray();
        var target = function.Method.IsStatic ? null : Activator.CreateInstance(function.Method.DeclaringType!);
        _isToldToEnd = false;
        Volatile.Write(ref _ending, takesToken ? ending : null);
        try
        {
            return Awaited(function.Method.Invoke(target, values));
        }
        finally
        {
            Volatile.Write(ref _ending, null);
            (target as IDisposable)?.Dispose();
        }
    }

    private static object? Value(ParameterInfo parameter, JsonElement given)
    {
        if (given.ValueKind == JsonValueKind.Undefined)
            return parameter.DefaultValue;
        try
        {
            return given.Deserialize(parameter.ParameterType, s_json);
        }
        catch (Exception problem) when (problem is JsonException or NotSupportedException)
        {
            throw new ArgumentsException($"the argument '{parameter.Name}' does not fit its type {parameter.ParameterType}: {problem.Message}", problem);
        }
    }

    private static object? Awaited(object? returned)
    {
        if (returned is null)
            return null;
        var type = returned.GetType();
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueTask<>))
            returned = type.GetMethod(nameof(ValueTask<>.AsTask))!.Invoke(returned, null)!;
        else if (returned is ValueTask plain)
            returned = plain.AsTask();
        if (returned is not Task task)
            return returned;
        task.GetAwaiter().GetResult();
        // The type that an async method makes carries the type of its result; that of a method without one is not for others to see.
        var result = task.GetType().GetProperty(nameof(Task<>.Result));
        return result is null || result.PropertyType.FullName == "System.Threading.Tasks.VoidTaskResult" ? null : result.GetValue(task);
    }

    private void Use(DotnetFunction function)
    {
        if (function.Place.List is not null)
            _loaded.Remove(function.Place);
        _loaded.AddLast(function.Place);
        function.Load();
        if (_loaded.Count <= MostLoaded)
            return;
        var oldest = _loaded.First!;
        _loaded.Remove(oldest);
        oldest.Value.Unload();
    }

    // What killed workers have left.
    private static void RemoveDead()
    {
        if (!Directory.Exists("functions"))
            return;
        foreach (var directory in Directory.GetDirectories("functions"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && !Directory.Exists($"/proc/{pid}"))
                Remove(directory);
        }
    }

    private static void Remove(string directory)
    {
        try
        {
            if (Directory.Exists(directory))
                Directory.Delete(directory, recursive: true);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // The next worker tries again.
        }
    }
}
