using System.CommandLine;
using FuncX.Client;
using FuncX.Contracts.V1;

namespace FuncX.Cli.Commands;

/// <summary>The options of a map over files.</summary>
internal sealed class FileOptions
{
    public Option<string[]> Files { get; } = new("--files")
    {
        Description = "A call for each file that the pattern names, sorted: * ? [a-z] and ** for any directories. Quote it. May be repeated.", HelpName = "pattern", Arity = ArgumentArity.ZeroOrMore,
    };

    public Option<string?> FilesFrom { get; } = new("--files-from") { Description = "A call for each file named in this list, or in standard input for '-'; a name a line, or each ended by a zero byte.", HelpName = "list" };

    public Option<bool> Contents { get; } = new("--contents") { Description = "The argument is the file's text instead of its path; a command reads the file on standard input." };

    public Option<bool> Binary { get; } = new("--binary") { Description = "With --contents: the bytes as they are. A Python function gets bytes and returns bytes." };

    public Option<string?> OutputDirectory { get; } = new("--output-dir") { Description = "Write each value to FILE-NAME.json there instead of standard output; none of them may be there yet.", HelpName = "dir" };

    public void AddTo(Command command)
    {
        command.Add(Files);
        command.Add(FilesFrom);
        command.Add(Contents);
        command.Add(Binary);
        command.Add(OutputDirectory);
    }

    /// <summary>The input of a map over files; null: it is not one.</summary>
    /// <exception cref="UsageException">The options do not go together, or name no files.</exception>
    public FileArguments? Open(Invocation invocation, FileInfo? lines)
    {
        var parsed = invocation.Parsed;
        var (patterns, list, contents) = (parsed.GetValue(Files) ?? [], parsed.GetValue(FilesFrom), parsed.GetValue(Contents));
        if (parsed.GetValue(Binary) && !contents)
            throw new UsageException("--binary wants --contents: without it a call gets the file's path.");
        if (patterns.Length == 0 && list is null)
        {
            if (contents || parsed.GetValue(OutputDirectory) is not null)
                throw new UsageException("--contents and --output-dir want --files or --files-from.");
            return null;
        }

        if (patterns.Length > 0 && list is not null)
            throw new UsageException("--files and --files-from exclude each other.");
        if (lines is not null)
            throw new UsageException($"'{lines}' is one argument too many beside --files: a pattern is to be quoted, as --files 'data/*.csv', or the shell makes several words of it.");
        var files = list is null ? Expand(patterns) : FileList.Read(list, invocation.Terminal.Input);
        if (contents)
            files.ForEach(RefuseUnreadable);
        return new FileArguments(files, contents, parsed.GetValue(Binary));
    }

    private static List<string> Expand(string[] patterns)
    {
        var (files, known) = (new List<string>(), new HashSet<string>(StringComparer.Ordinal));
        foreach (var pattern in patterns)
        {
            var found = Glob.Files(pattern);
            if (found.Count == 0)
                throw new UsageException($"--files '{pattern}' names no file.");
            files.AddRange(found.Where(known.Add));
        }

        return files;
    }

    private static void RefuseUnreadable(string file)
    {
        if (!File.Exists(file))
            throw new UsageException($"{file} does not exist.");
    }
}
