using FuncX.Service.Storage;
using FuncX.Service.Tasks;

namespace FuncX.Service.Links;

/// <summary>Tasks of a batch that a turn gave to a link, one behind the other.</summary>
/// <param name="Batch">Only its fixed parts may be read beside the turn.</param>
/// <param name="Slots">The batch's slots at that moment; the sender writes the time of sending into them.</param>
/// <param name="Record">The bodies; null: read them from the batch's chunk.</param>
public readonly record struct Assignment(Batch Batch, TaskSlot[] Slots, SubmissionRecord? Record, int From, int Count);
