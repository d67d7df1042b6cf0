using System.Globalization;
using FuncX.Wire;

namespace FuncX.Service.Tasks;

/// <summary>Where a listing goes on: in memory behind a task of the batch with that number, or in the index at a task of a batch in that segment.</summary>
internal readonly record struct ListPlace(bool OnDisk, long Batch, BatchId Id, int Index)
{
    public static ListPlace Disk => new(true, 0, default, 0);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(OnDisk ? "i" : "m")}-{Batch}-{Id}-{Index}");

    /// <exception cref="FormatException">It is not a place.</exception>
    public static ListPlace Parse(string text)
    {
        if (text.Length == 0)
            return default;
        var parts = text.Split('-');
        if (parts.Length == 4 && parts[0] is "i" or "m" && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var batch)
            && BatchId.TryParse(parts[2], out var id) && int.TryParse(parts[3], NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            return new ListPlace(parts[0] == "i", batch, id, index);
        throw new FormatException($"after is '{text}'; give back what the last reply's next said");
    }
}
