using FsCheck;
using FsCheck.Xunit;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.Wire;

public sealed class IdTests
{
    [Fact]
    public void Batch_ids_sort_by_the_time_they_were_made()
    {
        var earlier = BatchId.New(1_700_000_000_000);
        var later = BatchId.New(1_700_000_000_001);

        (earlier < later).ShouldBeTrue();
        string.CompareOrdinal(earlier.ToString(), later.ToString()).ShouldBeLessThan(0);
        later.UnixMilliseconds.ShouldBe(1_700_000_000_001);
    }

    [Property]
    public bool A_task_id_reads_back_from_its_text_and_its_bytes(NonNegativeInt time, uint index)
    {
        var id = new TaskId(BatchId.New(time.Get), index);
        var bytes = new byte[TaskId.Size];
        id.Write(bytes);
        return TaskId.Read(bytes) == id && TaskId.TryParse(id.ToString(), out var parsed) && parsed == id;
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("0193f1c2a4b77c1e90ab12cd")]
    [InlineData("0193f1c2a4b77c1e90ab12cd-")]
    [InlineData("0193f1c2a4b77c1e90ab12cd-x")]
    [InlineData("0193f1c2a4b77c1e90ab12cd--1")]
    [InlineData("0193f1c2a4b77c1e90ab12cd-4294967296")]
    [InlineData("0193f1c2a4b77c1e90ab12cg-1")]
    [InlineData("0193f1c2a4b77c1e90ab12c-17")]
    public void Text_that_is_no_task_id_is_refused(string text) => TaskId.TryParse(text, out _).ShouldBeFalse();

    [Fact]
    public void Ids_of_one_millisecond_differ() =>
        Enumerable.Range(0, 1_000).Select(_ => BatchId.New(1)).Distinct().Count().ShouldBe(1_000);
}
