namespace FuncX.Configuration;

/// <summary>The keys of each kind of provider. A kind is asked only for its own keys, so those of another are unknown keys.</summary>
internal static class ProviderBinding
{
    private static readonly Lazy<string[]> s_keysOfAllKinds = new(static () =>
        [.. Enum.GetValues<ProviderKind>().SelectMany(static kind => ConfigurationFile.Describe($"type: {SnakeCase.Of(kind)}", Bind)).Select(static key => key.Path).Distinct(StringComparer.Ordinal)]);

    // Less is refused by cluster systems ("Walltime less than minimum").
    private static readonly TimeSpan s_shortestOfCobalt = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(90);

    public static ProviderConfiguration Bind(ConfigurationSection section)
    {
        section.Require("type", "add for example 'type: local' below 'provider:'");
        if (section.OptionalChoice<ProviderKind>("type") is not { } type)
        {
            // Which keys belong is not known without it: they are asked for, so that none is called unknown for this reason.
            foreach (var key in s_keysOfAllKinds.Value)
                section.Has(key);
            return new ProviderConfiguration();
        }

        if (type == ProviderKind.Local)
            return new ProviderConfiguration { Nodes = section.Integer("nodes", 1, 1, 1_024) };

        if (type == ProviderKind.Allocation)
            return new ProviderConfiguration { Type = type, Walltime = section.OptionalDuration("walltime", TimeSpan.FromMinutes(1), s_longest) };

        section.Require("walltime", "a batch job needs one. Add for example 'walltime: 01:00:00'");
        var batch = new ProviderConfiguration
        {
            Type = type,
            Nodes = section.Integer("nodes_per_block", 1, 1, 100_000),
            Walltime = section.OptionalDuration("walltime", type == ProviderKind.Cobalt ? s_shortestOfCobalt : TimeSpan.FromMinutes(1), s_longest),
            Account = section.OptionalText("account", 256, OneWord),
            Reservation = section.OptionalText("reservation", 256, OneWord),
            Init = section.Text("init", "", 65_536),
            Directives = section.Texts("directives", [], 100, 1_000, OneLine),
            PollInterval = section.Duration("poll_interval", TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10)),
        };
        return type switch
        {
            ProviderKind.Slurm => batch with
            {
                Partition = section.OptionalText("partition", 256, OneWord),
                Qos = section.OptionalText("qos", 256, OneWord),
                Constraint = section.OptionalText("constraint", 256, OneWord),
                Exclusive = section.Flag("exclusive", false),
                Gres = section.OptionalText("gres", 256, OneWord),
                GpusPerNode = section.OptionalInteger("gpus_per_node", 1, 128),
                Licenses = section.OptionalText("licenses", 256, OneWord),
            },
            ProviderKind.Pbs => batch with
            {
                Variant = Variant(section),
                Queue = Queue(section),
                Filesystems = section.Texts("filesystems", [], 100, 256, OneWord),
                Place = section.OptionalText("place", 256, OneWord),
                Select = section.OptionalText("select", 512, Chunk),
            },
            _ => batch with
            {
                Queue = Queue(section),
                Filesystems = section.Texts("filesystems", [], 100, 256, OneWord),
                Attributes = section.Texts("attributes", [], 100, 256, OneWord),
                Environment = section.TextsByName("environment", 100, 1_000, VariableName, VariableValue),
            },
        };
    }

    // TORQUE knows no chunks.
    private static PbsKind Variant(ConfigurationSection section)
    {
        var variant = section.Choice("variant", PbsKind.Openpbs);
        foreach (var key in variant == PbsKind.Torque ? (string[])["select", "place"] : [])
        {
            if (section.Has(key))
                section.Error(key, $"'provider.{key}' is there with 'variant: torque', whose jobs ask for nodes=N:ppn=C: 'provider.nodes_per_block' of them with 'workers.per_node' times 'workers.cores_per_worker' processors each. Remove it; what else a block needs goes into 'provider.directives', like [\"-l mem=8gb\"]");
        }

        return variant;
    }

    // There a reservation is a queue of its own.
    private static string? Queue(ConfigurationSection section)
    {
        if (section.Has("queue") && section.Has("reservation"))
            section.Error("reservation", "'provider.reservation' and 'provider.queue' are both there; a reservation is a queue of its own here. Remove one");
        return section.OptionalText("queue", 256, OneWord);
    }

    private static string? Chunk(string text)
    {
        if (OneWord(text) is { } problem)
            return problem;
        if (char.IsAsciiDigit(text[0]))
            return $"is '{text}'; the number of chunks is 'provider.nodes_per_block'. Write what one consists of, like ncpus=64:ngpus=4";
        return text.Contains("mpiprocs", StringComparison.Ordinal) || text.Contains('+', StringComparison.Ordinal)
            ? $"is '{text}'; one manager is started in each chunk, and all chunks are alike. Leave out mpiprocs and +" : null;
    }

    // What stands in a batch script, for schedulers whose quoting cannot be relied on.
    private static string? OneWord(string text) => text.All(static letter => letter is > ' ' and <= '~' and not ('\'' or '"' or '\\' or '`' or '#'))
        ? null
        : $"is '{new string([.. text.Select(static letter => char.IsControl(letter) ? '?' : letter)])}'; expected printable ASCII without spaces, quotes, backslashes and #";

    private static string? VariableName(string name) => name.Length is > 0 and <= 256 && !char.IsAsciiDigit(name[0]) && name.All(static letter => char.IsAsciiLetterOrDigit(letter) || letter == '_')
        ? null
        : "is no name of a variable; expected letters, digits and _, no digit first";

    // qsub takes a backslash together with a colon behind it, and the next variable begins with one.
    private static string? VariableValue(string text) => OneLine(text) ?? (text.EndsWith('\\') ? "ends with a backslash, which Cobalt cannot be given; leave it out" : null);

    private static string? OneLine(string text) => text.Any(char.IsControl) ? "must be one line without control characters" : null;
}
