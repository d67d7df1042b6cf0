using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;

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

/// <summary>Results in one message of the link.</summary>
internal abstract class ResultsMessage : OutgoingMessage
{
    /// <summary>Whole frames.</summary>
    public List<FrameSlice> Frames { get; } = [];

    /// <summary>Its number on the present link; the last one of a message that travels in parts.</summary>
    public ulong Sequence { get; set; }
}

/// <summary>Any message that is rare enough for the generated code.</summary>
internal sealed class PlainMessage(EndpointMessage message) : OutgoingMessage
{
    public EndpointMessage Message { get; } = message;
}
