using FuncX.Contracts.V1;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>A message from the endpoint to the service.</summary>
internal abstract class OutgoingMessage
{
    /// <summary>Bytes of frames in it.</summary>
    public int Bytes { get; set; }

    /// <summary>The sender is done with it.</summary>
    public virtual void Release()
    {
    }
}

/// <summary>Any message that is rare enough for the generated code.</summary>
internal sealed class PlainMessage(EndpointMessage message) : OutgoingMessage
{
    public EndpointMessage Message { get; } = message;
}
