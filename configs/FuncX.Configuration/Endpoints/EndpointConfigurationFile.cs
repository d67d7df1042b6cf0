using System.Net;

namespace FuncX.Configuration;

/// <summary>Reads a machine's file. All errors at once.</summary>
public static class EndpointConfigurationFile
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_month = TimeSpan.FromDays(30);

    /// <summary>Reads <paramref name="path"/>. The file can run code (<c>workers.init</c>), so one that others may write is refused.</summary>
    public static ConfigurationResult<EndpointConfiguration> Read(string path) => ConfigurationFile.Read(path, canRunCode: true, Bind);

    /// <summary>Reads a text.</summary>
    /// <param name="environment">Looks up <c>${NAME}</c>; the process's environment when left out.</param>
    public static ConfigurationResult<EndpointConfiguration> Parse(string file, string text, Func<string, string?>? environment = null) =>
        ConfigurationFile.Parse(file, text, Bind, environment);

    /// <summary>The keys of a file with this kind of provider.</summary>
    internal static IReadOnlyList<KeyDescription> Describe(ProviderKind kind) =>
        ConfigurationFile.Describe($"provider: {{type: {SnakeCase.Of(kind)}}}\nlauncher: {{}}\ncontainers: {{cache: {{}}}}", Bind);

    private static EndpointConfiguration Bind(ConfigurationSection root)
    {
        var provider = root.Has("provider") ? ProviderBinding.Bind(root.Section("provider")) : new ProviderConfiguration();
        return new EndpointConfiguration
        {
            Name = root.RequiredText("name", "polaris", 64, CheckName),
            Service = root.RequiredText("service", "https://funcx.example.org", 500, CheckService).TrimEnd('/'),
            Description = root.Text("description", ""),
            StateDirectory = root.RequiredPath("state_dir", "${HOME}/.funcx/polaris", CheckStateDirectory),
            Provider = provider,
            Blocks = Blocks(root.Section("blocks"), provider),
            Transport = root.Choice("transport", TransportKind.Tcp),
            Launcher = root.Has("launcher") ? Launcher(root.Section("launcher")) : null,
            Interfaces = root.Texts("interfaces", [], 64, 64),
            Workers = Workers(root.Section("workers"), provider),
            Containers = Containers(root.Section("containers")),
            StageIn = StageIn(root),
            Limits = Limits(root.Section("limits")),
            Sharing = Sharing(root.Section("sharing")),
            Telemetry = ObservationBinding.Telemetry(root.Section("telemetry"), ofService: false),
            Logs = ObservationBinding.Logs(root.Section("logs"), ofService: false),
        };
    }

    private static BlocksConfiguration Blocks(ConfigurationSection section, ProviderConfiguration provider)
    {
        // The job is there, and there is no second one.
        var isOne = provider.Type == ProviderKind.Allocation;
        foreach (var key in isOne ? (string[])["min", "init", "max"] : [])
        {
            if (section.Integer(key, 1, 0, 10_000) is var count and not 1)
                section.Error(key, $"'blocks.{key}' is {count}; with provider allocation there is one block, the endpoint's own job. Leave the key out");
        }

        var minimum = section.Integer("min", isOne ? 1 : 0, 0, 10_000);
        var maximum = section.OptionalInteger("max", 1, 10_000) ?? Math.Max(1, minimum);
        var initial = section.OptionalInteger("init", 0, 10_000) ?? minimum;
        if (minimum > maximum)
            section.Error("min", $"'blocks.min' is {minimum}, more than 'blocks.max', which is {maximum}; expected at most {maximum}");
        else if (initial < minimum || initial > maximum)
            section.Error("init", $"'blocks.init' is {initial}; expected a number from 'blocks.min' ({minimum}) to 'blocks.max' ({maximum})");
        return new BlocksConfiguration
        {
            Min = minimum,
            Init = initial,
            Max = maximum,
            Idle = section.Duration("idle", TimeSpan.FromMinutes(2), s_second, s_month),
            Parallelism = section.Number("parallelism", 1.0, 0, 1),
        };
    }

    private static LauncherConfiguration Launcher(ConfigurationSection section)
    {
        var launcher = new LauncherConfiguration
        {
            Type = section.Choice("type", LauncherKind.Detect),
            RanksPerWorld = section.Integer("ranks_per_world", 128, 1, 8_192),
            Arguments = section.Texts("arguments", []),
            LeaderOnly = section.Flag("leader_only", false),
        };
        if (launcher is { LeaderOnly: true, RanksPerWorld: 1 })
            section.Error("leader_only", "'launcher.leader_only' is true and 'launcher.ranks_per_world' is 1, so that no rank would have workers; expected 'ranks_per_world' to be 2 or more");
        return launcher;
    }

    private static WorkersConfiguration Workers(ConfigurationSection section, ProviderConfiguration provider)
    {
        var cores = section.Integer("cores_per_worker", 1, 1, 4_096);
        if (provider.Type != ProviderKind.Local)
            section.Require("per_node", $"this machine's cores say nothing about the nodes of {SnakeCase.Of(provider.Type)}. Add for example 'per_node: 32' below 'workers:'");
        return new WorkersConfiguration
        {
            PerNode = section.OptionalInteger("per_node", 1, 4_096) ?? Math.Clamp(Environment.ProcessorCount / cores, 1, 4_096),
            CoresPerWorker = cores,
            MemoryPerWorker = section.OptionalSize("memory_per_worker", 1L << 20, 1L << 50),
            CpuAffinity = section.Choice("cpu_affinity", CpuAffinity.None),
            Accelerators = section.Texts("accelerators", [], 1_024, 128),
            Init = section.Text("init", "", 65_536),
            Python = section.Program("python", "python3"),
            Preload = section.Texts("preload", [], 256, 256, CheckModule),
            Isolation = section.Choice("isolation", WorkerIsolation.Fork),
            Prefetch = section.IntegerOr("prefetch", "auto", 0, 1_024),
            Idle = section.Duration("idle", TimeSpan.FromMinutes(10), s_second, s_month),
            Simulate = Simulates(section),
            ManagersPerNode = section.Integer("managers_per_node", 1, 1, 16_384),
        };
    }

    private static bool Simulates(ConfigurationSection section)
    {
        var simulates = section.Flag("simulate", false);
        if (simulates && section.OptionalInteger("per_node", 1, 4_096) > WorkersConfiguration.MostSimulated)
            section.Error("per_node", $"a simulated manager has at most {WorkersConfiguration.MostSimulated} workers; for more of them a node may be several managers: 'managers_per_node'");
        if (!simulates && section.Has("managers_per_node"))
            section.Error("managers_per_node", "a node is several managers only when its workers are simulated ('simulate: true'); its real manager has all of its workers");
        return simulates;
    }

    private static ContainersConfiguration Containers(ConfigurationSection section) => new()
    {
        Runtime = section.Choice("runtime", ContainerRuntime.None),
        Allowed = section.Texts("allowed", ["*"]),
        Binds = section.Paths("binds"),
        Cache = section.Has("cache") ? Cache(section.Section("cache")) : null,
        Mode = section.Choice("mode", ContainerMode.Soft),
        Warm = section.Integers("warm", 0, 4_096),
    };

    private static ContainerCacheConfiguration Cache(ConfigurationSection section) => new()
    {
        Directory = section.RequiredPath("dir", "/local/scratch/funcx"),
        Size = section.Size("size", 50L << 30, 1L << 20, 1L << 50),
    };

    private static IReadOnlyList<string> StageIn(ConfigurationSection root)
    {
        var paths = root.Paths("stage_in");
        foreach (var group in paths.GroupBy(Path.GetFileName, StringComparer.Ordinal).Where(static group => group.Count() > 1))
            root.Error("stage_in", $"'stage_in' has {group.Count()} files of the name '{group.Key}' ({string.Join(", ", group)}); they would lie in one directory on a node, so that each needs a name of its own");
        return paths;
    }

    private static LimitsConfiguration Limits(ConfigurationSection section) => new()
    {
        TaskWalltime = section.OptionalDuration("task_walltime", s_second, s_month),
        Result = section.Size("result", 256L << 20, 1L << 10, 1L << 40),
        Output = section.Size("output", 1L << 20, 0, LimitsConfiguration.LargestOutput),
        MaxAttempts = section.OptionalInteger("max_attempts", 1, 1_000),
        Spool = section.Size("spool", 10L << 30, 1L << 20, 1L << 50),
    };

    private static SharingConfiguration Sharing(ConfigurationSection section)
    {
        var sharing = new SharingConfiguration
        {
            Mode = section.Choice("mode", SharingMode.Owner),
            Users = section.Texts("users", []),
            Groups = section.Texts("groups", []),
            Functions = section.Texts("functions", ["*"]),
        };
        foreach (var key in (string[])["users", "groups"])
        {
            if (sharing.Mode == SharingMode.Owner && section.Has(key))
                section.Error(key, $"'sharing.{key}' has no meaning with 'sharing.mode: owner'; remove it, or write 'mode: allow_shared_account'");
        }

        return sharing;
    }

    // Names become names of files and directories: ${HOME}/.funcx/.. would be the home directory itself.
    private static string? CheckName(string text)
    {
        if (!text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-'))
            return $"is '{text}'; expected 1 to 64 of a-z A-Z 0-9 . _ -";
        return text is "." or ".." ? $"is '{text}', which names a directory; expected 1 to 64 of a-z A-Z 0-9 . _ - and not . or .." : null;
    }

    private static string? CheckStateDirectory(string path) =>
        Path.GetFullPath(path) == "/" ? $"is '{path}', the root of all directories; expected one of its own, like ${{HOME}}/.funcx/polaris" : null;

    private static string? CheckService(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https") || address.Host.Length == 0)
            return $"is '{text}'; expected an address like https://funcx.example.org or http://127.0.0.1:7070";
        if (address.UserInfo.Length > 0)
            return "has a user or password in the address; a token comes from `funcx login` or --token-file";
        if (address.AbsolutePath != "/" || address.Query.Length > 0 || address.Fragment.Length > 0)
            return $"is '{text}'; expected only scheme, host and port, like {address.GetLeftPart(UriPartial.Authority)}";
        var loopback = address.Host == "localhost" || (IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
        return address.Scheme == "http" && !loopback
            ? $"is '{text}'; plain http would show tokens to the network and is for this machine only (127.0.0.1). Write https://{address.Authority}"
            : null;
    }

    private static string? CheckModule(string text) =>
        text.Split('.').All(part => part.Length > 0 && !char.IsAsciiDigit(part[0]) && part.All(letter => char.IsLetterOrDigit(letter) || letter == '_'))
            ? null
            : $"has '{text}' as an item; expected the name of a Python module";
}
