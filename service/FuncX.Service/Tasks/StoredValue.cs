using FuncX.Contracts.V1;
using FuncX.Service.Storage;

namespace FuncX.Service.Tasks;

/// <summary>Where a task's value and output lie.</summary>
internal sealed class StoredValue
{
    public TaskInfo? Info { get; set; }

    /// <summary>Bytes of value, stdout and stderr together.</summary>
    public int Bytes { get; set; }

    public int ValueBytes { get; set; }

    public int StdoutBytes { get; set; }

    /// <summary>All of it, unless <see cref="Large"/> says where it lies.</summary>
    public ReadOnlyMemory<byte> Small { get; set; }

    public SegmentReference Large { get; set; }
}
