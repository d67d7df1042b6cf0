namespace FuncX.Configuration;

/// <summary>What of a valid file this release cannot do yet. Asked when an endpoint starts, not when its file is validated.</summary>
public static class EndpointSupport
{
    /// <summary>The largest <c>limits.result</c>: a result is held in memory on its way.</summary>
    public const long LargestResult = 256L << 20;

    /// <summary>One error for each key that asks for what is not there, saying what is possible now. Empty: the endpoint can start.</summary>
    public static IReadOnlyList<ConfigurationError> Unsupported(ConfigurationResult<EndpointConfiguration> file)
    {
        var configuration = file.Value ?? throw new ArgumentException("the file has errors", nameof(file));
        var errors = new List<ConfigurationError>();
        var (workers, containers) = (configuration.Workers, configuration.Containers);
        Refuse(configuration.Launcher is not null && configuration.Transport != TransportKind.Mpi, "launcher", "named without MPI", "no launcher with transport: tcp; leave the key out");
        Refuse(workers.Simulate && configuration.Transport != TransportKind.Mpi, "workers.simulate", "true without MPI", "simulate: false, or transport: mpi");
        Refuse(containers.Runtime != ContainerRuntime.None, "containers.runtime", SnakeCase.Of(containers.Runtime), "runtime: none");
        Refuse(containers.Allowed is not ["*"], "containers.allowed", $"[{string.Join(", ", containers.Allowed)}]", "allowed: [\"*\"]");
        Refuse(containers.Binds.Count > 0, "containers.binds", $"[{string.Join(", ", containers.Binds)}]", "no binds; leave the key out");
        Refuse(containers.Cache is not null && configuration.StageIn.Count == 0, "containers.cache", $"{containers.Cache?.Directory}, for images", "a cache for the files of stage_in; without such files leave the key out");
        Refuse(containers.Mode != ContainerMode.Soft, "containers.mode", SnakeCase.Of(containers.Mode), "mode: soft");
        Refuse(containers.Warm.Count > 0, "containers.warm", $"{{{string.Join(", ", containers.Warm.Select(warm => $"{warm.Key}: {warm.Value}"))}}}", "no warm workers; leave the key out");
        Refuse(configuration.StageIn.Count > 0 && workers.Simulate, "stage_in", $"{configuration.StageIn.Count} files for simulated workers", "stage_in: [], or simulate: false");
        Refuse(configuration.Limits.Result > LargestResult, "limits.result", Quantities.Write(configuration.Limits.Result), $"up to {Quantities.Write(LargestResult)}");
        Refuse(configuration.Sharing.Mode != SharingMode.Owner, "sharing.mode", SnakeCase.Of(configuration.Sharing.Mode), "mode: owner");
        Refuse(configuration.Sharing.Functions is not ["*"], "sharing.functions", $"[{string.Join(", ", configuration.Sharing.Functions)}]", "functions: [\"*\"]");
        return [.. errors.OrderBy(error => error.Line).ThenBy(error => error.Column)];

        void Refuse(bool asked, string key, string seen, string possible)
        {
            if (asked)
                errors.Add(file.ErrorAt(key, $"'{key}' is {seen}, which this release cannot do yet; possible now: {possible}"));
        }
    }
}
