using System.Globalization;
using Spectre.Console;

namespace FuncX.Cli.Output;

/// <summary>How tables, times and durations look.</summary>
internal static class Tables
{
    public static Table New(params string[] columns)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in columns)
            table.AddColumn(new TableColumn(new Text(column)).NoWrap());
        return table;
    }

    public static void Add(this Table table, params string[] cells) => table.AddRow(cells.Select(cell => new Text(cell)));

    public static string Time(long unixMicroseconds) => unixMicroseconds == 0
        ? "never"
        : DateTime.UnixEpoch.AddTicks(unixMicroseconds * TimeSpan.TicksPerMicrosecond).ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>Microseconds with a unit that fits: <c>850 us</c>, <c>1.24 ms</c>, <c>2.500 s</c>.</summary>
    public static string Duration(long microseconds) => Math.Abs(microseconds) switch
    {
        < 1_000 => string.Create(CultureInfo.InvariantCulture, $"{microseconds} us"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{microseconds / 1e3:0.00} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{microseconds / 1e6:0.000} s"),
    };
}
