using System.Globalization;
using FuncX.Wire;

namespace FuncX.Service.Tasks;

/// <summary>
/// Where a listing goes on. First come the batches that were in memory when it began, in the order of their submission, also those that went to the index
/// since: they are in segments behind <see cref="Boundary"/>. Then come the segments up to it, each by key.
/// </summary>
/// <param name="OnDisk">The second half.</param>
/// <param name="Boundary">The newest segment when the listing began; -1 before that.</param>
/// <param name="Major">Chunk of a batch's submission, or a segment.</param>
/// <param name="Offset">Of the submission in its chunk; first half.</param>
/// <param name="Id">Of the batch; second half.</param>
/// <param name="Index">The task that comes next.</param>
internal readonly record struct ListPlace(bool OnDisk, long Boundary, long Major, int Offset, BatchId Id, int Index)
{
    public static ListPlace Start => new(false, -1, 0, 0, default, 0);

    public ListPlace AtSegments => new(true, Boundary, 0, 0, default, 0);

    public bool IsIn(BatchView batch) => Major == batch.SubmitChunk && Offset == batch.SubmitOffset;

    public bool IsBehind(long submitChunk, int submitOffset) => submitChunk < Major || (submitChunk == Major && submitOffset < Offset);

    /// <summary>In the first half, in a batch.</summary>
    public ListPlace At(BatchView batch, int index) => this with { Major = batch.SubmitChunk, Offset = batch.SubmitOffset, Index = index };

    public ListPlace Behind(BatchView batch) => this with { Major = batch.SubmitChunk, Offset = batch.SubmitOffset + 1, Index = 0 };

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(OnDisk ? "i" : "m")}-{Boundary}-{Major}-{Offset}-{Id}-{Index}");

    /// <exception cref="FormatException">It is not a place.</exception>
    public static ListPlace Parse(string text)
    {
        if (text.Length == 0)
            return Start;
        var parts = text.Split('-');
        if (parts.Length == 6 && parts[0] is "i" or "m" && TryRead(parts[1], out long boundary) && TryRead(parts[2], out long major) && TryRead(parts[3], out int offset)
            && BatchId.TryParse(parts[4], out var id) && TryRead(parts[5], out int index))
            return new ListPlace(parts[0] == "i", boundary, major, offset, id, index);
        throw new FormatException($"after is '{text}'; give back what the last reply's next said");
    }

    private static bool TryRead<T>(string text, out T number)
        where T : struct, System.Numerics.INumber<T> => T.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
