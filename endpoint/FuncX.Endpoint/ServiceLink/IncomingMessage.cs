using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>A message from the service: tasks in a pooled buffer whose one reference is the receiver's, or anything else as generated code has it.</summary>
internal sealed class IncomingMessage
{
    public ServiceMessage? Message { get; init; }

    public FrameSlice Tasks { get; init; }
}
