namespace FuncX.Configuration;

/// <summary>The keys of each kind of provider. A kind is asked only for its own keys, so those of another are unknown keys.</summary>
internal static class ProviderBinding
{
    private static readonly string[] s_allKeys =
    [
        "nodes", "nodes_per_block", "walltime", "account", "reservation", "directives", "partition", "qos", "constraint", "queue", "filesystems", "place",
    ];

    private static readonly TimeSpan s_longest = TimeSpan.FromDays(90);

    public static ProviderConfiguration Bind(ConfigurationSection section)
    {
        if (section.OptionalChoice<ProviderKind>("type") is not { } type)
        {
            if (!section.Has("type"))
                section.Error("type", "the key 'provider.type' is missing; add for example 'type: local' below 'provider:'");
            // Which keys belong is not known without it: they are asked for, so that none is called unknown for this reason.
            foreach (var key in s_allKeys)
                section.Has(key);
            return new ProviderConfiguration();
        }

        if (type == ProviderKind.Local)
            return new ProviderConfiguration { Nodes = section.Integer("nodes", 1, 1, 1_024) };

        if (!section.Has("walltime"))
            section.Error("walltime", "the key 'provider.walltime' is missing; a batch job needs one. Add for example 'walltime: 01:00:00'");
        var batch = new ProviderConfiguration
        {
            Type = type,
            Nodes = section.Integer("nodes_per_block", 1, 1, 100_000),
            Walltime = section.OptionalDuration("walltime", TimeSpan.FromMinutes(1), s_longest),
            Account = section.OptionalText("account", 256, OneLine),
            Reservation = section.OptionalText("reservation", 256, OneLine),
            Directives = section.Texts("directives", [], 100, 1_000, OneLine),
        };
        return type switch
        {
            ProviderKind.Slurm => batch with
            {
                Partition = section.OptionalText("partition", 256, OneLine),
                Qos = section.OptionalText("qos", 256, OneLine),
                Constraint = section.OptionalText("constraint", 256, OneLine),
            },
            ProviderKind.Pbs => batch with
            {
                Queue = section.OptionalText("queue", 256, OneLine),
                Filesystems = section.Texts("filesystems", [], 100, 256, OneLine),
                Place = section.OptionalText("place", 256, OneLine),
            },
            _ => batch with
            {
                Queue = section.OptionalText("queue", 256, OneLine),
                Filesystems = section.Texts("filesystems", [], 100, 256, OneLine),
            },
        };
    }

    private static string? OneLine(string text) => text.Any(char.IsControl) ? "must be one line without control characters" : null;
}
