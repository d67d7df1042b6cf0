namespace FuncX.Endpoint.Doctor;

/// <summary>Which glibc a program needs, by the versions of the symbols that it names.</summary>
internal static class GlibcNeed
{
    /// <summary>What <c>funcx-manager</c> is built against.</summary>
    public static Version Promised { get; } = new(2, 31);

    /// <summary>The newest version that the program names; null: it names none.</summary>
    public static Version? Of(ReadOnlySpan<byte> program)
    {
        var mark = "GLIBC_2."u8;
        var newest = -1;
        for (var at = program.IndexOf(mark); at >= 0; at = program.IndexOf(mark))
        {
            program = program[(at + mark.Length)..];
            var minor = 0;
            for (var i = 0; i < Math.Min(3, program.Length) && char.IsAsciiDigit((char)program[i]); i++)
                minor = (minor * 10) + program[i] - '0';
            newest = Math.Max(newest, minor);
        }

        return newest < 0 ? null : new Version(2, newest);
    }
}
