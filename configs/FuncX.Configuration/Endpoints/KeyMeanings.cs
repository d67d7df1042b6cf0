namespace FuncX.Configuration;

/// <summary>
/// What each key of a machine's file means, in Markdown: the one place for the reference page and the schema. Kind, bounds, choices and default are not said again: the reader says them.
/// </summary>
public static class KeyMeanings
{
    /// <summary>Ends a sentence about what is checked now and built later; what stands before a <c>;</c> is there.</summary>
    public const string Star = " *.";

    /// <summary>By path, sections among them.</summary>
    public static IReadOnlyDictionary<string, string> All { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["name"] = "What users call the endpoint: 1 to 64 of `a-z A-Z 0-9 . _ -`; not `.` or `..`.",
        ["service"] = "Address of the service: `https://...`; `http://` only with a loopback address.",
        ["description"] = "For people.",
        ["state_dir"] = "A directory of its own, not `/`; 0700; identity, spool, rendezvous, logs.",
        ["transport"] = "`tcp`: each manager dials in; `mpi`: a leader for each MPI world does.",
        ["interfaces"] = "Network interfaces where managers may dial in. With none named it is 127.0.0.1 with `local`, and all of them else.",
        ["stage_in"] = "Files brought to every node before it takes work, as configs/README.md says; with simulated workers *.",

        ["provider"] = "Who gives nodes. Without this section it is `local`.",
        ["provider.type"] = "`allocation`: the nodes of the job that the endpoint is started in.",
        ["provider.nodes"] = "Managers of one block.",
        ["provider.nodes_per_block"] = "Nodes of one block.",
        ["provider.walltime"] = "How long one block lasts, with `cobalt` in whole minutes. With `allocation` how long the job lasts from the start of the endpoint, where it does not tell itself (PBS).",
        ["provider.init"] = "Bash that a batch script runs first, for what the launcher and the ranks of an MPI world need (`module load`, `export`); what workers need belongs into `workers.init`.",
        ["provider.account"] = "Who pays.",
        ["provider.reservation"] = "Reservation to run in; with `pbs` and `cobalt` it is a queue of its own, and `queue` is left out.",
        ["provider.directives"] = "Further options as they stand after `#SBATCH`, `#PBS`, `#COBALT`.",
        ["provider.poll_interval"] = "How often one question is asked about all blocks; less often while the scheduler is slow or away.",
        ["provider.partition"] = "Partition.",
        ["provider.qos"] = "Quality of service.",
        ["provider.constraint"] = "Features that nodes must have.",
        ["provider.exclusive"] = "`true`: whole nodes; else `workers.per_node` times `workers.cores_per_worker` CPUs of each.",
        ["provider.gres"] = "Generic resources of each node, like `gpu:4`.",
        ["provider.gpus_per_node"] = "GPUs of each node.",
        ["provider.licenses"] = "Licenses, like `scratch,abaqus:5`.",
        ["provider.queue"] = "Queue.",
        ["provider.filesystems"] = "File systems that a block needs.",
        ["provider.select"] = "What a chunk, which is a node, consists of, without its number. With `variant: torque` there is none: `nodes=N:ppn=C`, C being what is the default here.",
        ["provider.place"] = "How chunks are placed; not with `variant: torque`.",
        ["provider.variant"] = "`openpbs`: also PBS Professional.",
        ["provider.attributes"] = "For `--attrs`, like `[mcdram=cache]`; `filesystems` are added.",
        ["provider.environment"] = "For `--env`: variables of the job, like `{OMP_PLACES: cores}`. Whoever may run `qstat -fl` sees them: no secrets.",

        ["blocks"] = "How many blocks there are, by demand; exactly one with `allocation`.",
        ["blocks.min"] = "Blocks that are kept whatever the demand.",
        ["blocks.init"] = "Blocks that are asked for at the start, from `blocks.min` to `blocks.max`.",
        ["blocks.max"] = "Never more blocks than this.",
        ["blocks.idle"] = "A block above `blocks.min` without tasks for this long is ended.",
        ["blocks.parallelism"] = "Workers asked for per waiting task.",

        ["launcher"] = "How worlds are started. With `transport: tcp` *.",
        ["launcher.type"] = "The launcher's kind; `detect`: the one that the block's agent finds. With `transport: tcp` *.",
        ["launcher.ranks_per_world"] = "Ranks of one MPI job inside a block. With `transport: tcp` *.",
        ["launcher.arguments"] = "They stand behind ours and win; with one that begins with `--mpi` the agent chooses none for srun. With `transport: tcp` *.",
        ["launcher.leader_only"] = "`true`: the first rank of a world, which speaks with the endpoint for all of them, has no workers; of a world of one it has. With `transport: tcp` *.",

        ["workers"] = "The workers of one node.",
        ["workers.per_node"] = "Workers of one node, or of one manager when they are simulated.",
        ["workers.cores_per_worker"] = "Cores of one worker; also its OMP, OpenBLAS and MKL threads.",
        ["workers.memory_per_worker"] = "Memory of a worker with all it starts. Above it the task ends as *exception* `MemoryLimitExceeded`, which says how it is kept: a control group (v2, v1) where the manager may make one, else the resident size is watched, with `RLIMIT_DATA` at twice as much behind it.",
        ["workers.accelerators"] = "Devices of a node, as the libraries name them: each worker sees its even share in `CUDA_VISIBLE_DEVICES`, `ROCR_VISIBLE_DEVICES` and `ZE_AFFINITY_MASK`; with more workers than devices some share one.",
        ["workers.cpu_affinity"] = "`block`: `cores_per_worker` CPUs next to each other for each worker; `alternating`: `per_node` CPUs apart. Of those that the manager may use.",
        ["workers.init"] = "Bash, once per node; the environment it leaves is that of the workers.",
        ["workers.python"] = "A name in PATH after `init`, or an absolute path, like `${HOME}/venv/bin/python`; CPython 3.8 or later, or PyPy.",
        ["workers.preload"] = "Modules imported before the first task.",
        ["workers.isolation"] = "`fork`: workers are forks of one prepared interpreter; `spawn`: each is an interpreter of its own; `per_task`: a fork for each task.",
        ["workers.prefetch"] = "Tasks sent ahead per worker; `auto`: by the durations seen.",
        ["workers.idle"] = "A worker without tasks for this long is ended.",
        ["workers.simulate"] = "`true`: workers only wait, as many seconds as the first argument of a call says, and answer with the arguments (up to 32 bytes); to measure a machine's fabric and the endpoint before users come. At most 64 of them per manager. Without `transport: mpi` *.",
        ["workers.managers_per_node"] = "With `simulate` alone: how many managers each node is, each with `per_node` workers.",

        ["containers"] = "The images that functions may ask for.",
        ["containers.runtime"] = "`none`; what starts a worker inside an image *.",
        ["containers.allowed"] = "`[\"*\"]`: functions may ask for any image; others *.",
        ["containers.binds"] = "Paths seen inside every container *.",
        ["containers.cache"] = "Where files lie on a node; without this section each manager keeps its own copies in its block's directory.",
        ["containers.cache.dir"] = "Where the files of `stage_in` lie on a node; images *.",
        ["containers.cache.size"] = "How many bytes of them at most; images *.",
        ["containers.mode"] = "`soft`; `hard`: one image per manager *.",
        ["containers.warm"] = "Workers kept warm per node, by image *.",

        ["limits"] = "Bounds on tasks, and on what is kept of them.",
        ["limits.task_walltime"] = "How long a task may run.",
        ["limits.result"] = "Above it the outcome is *too large*; `257MiB` and more *.",
        ["limits.output"] = "Kept of stdout and of stderr; a line at the end says what was cut.",
        ["limits.max_attempts"] = "Lost executions that end a task here, even one that may have more.",
        ["limits.spool"] = "Results on disk while the service is away.",

        ["sharing"] = "Whose tasks run here.",
        ["sharing.mode"] = "`owner`; `allow_shared_account` *.",
        ["sharing.users"] = "With `allow_shared_account` *.",
        ["sharing.groups"] = "With `allow_shared_account` *.",
        ["sharing.functions"] = "`[\"*\"]`: all functions may run; others *.",

        ["telemetry"] = "What is told of the endpoint, and to whom.",
        ["telemetry.prometheus"] = "`socket`: a page of metrics on the control socket, `curl --unix-socket STATE_DIR/control.sock http://x/metrics`; a loopback address and port, like `127.0.0.1:9464`: there too, over plain HTTP.",
        ["telemetry.push_metrics"] = "`true`: the same metrics are sent by OTLP.",
        ["telemetry.interval"] = "How often they are sent.",
        ["telemetry.otlp"] = "Where metrics are sent.",
        ["telemetry.otlp.endpoint"] = "`http://` or `https://`, without `v1/metrics`.",
        ["telemetry.otlp.protocol"] = "How OTLP travels.",
        ["telemetry.otlp.headers_file"] = "A file of mode 0600, a line `NAME=VALUE` for each header that a request carries.",

        ["logs"] = "The endpoint's log.",
        ["logs.format"] = "`json`: a JSON object a line.",
        ["logs.size"] = "A log of that size is followed by another.",
        ["logs.files"] = "Files of a log, the one being written among them; the oldest goes.",
    };

    /// <summary>By path, what holds without a key whose default cannot be written into a file, or is another one on each machine.</summary>
    public static IReadOnlyDictionary<string, string> LeftOut { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["provider.select"] = "`ncpus=` `workers.per_node` times `workers.cores_per_worker`",
        ["provider.place"] = "`scatter`",
        ["blocks.init"] = "`blocks.min`",
        ["blocks.max"] = "the larger of 1 and `blocks.min`",
        ["workers.per_node"] = "this machine's cores / `workers.cores_per_worker`",
        ["telemetry.interval"] = "`60s`, or what `OTEL_METRIC_EXPORT_INTERVAL` says",
        ["telemetry.otlp.endpoint"] = "`http://localhost:4317`, or what `OTEL_EXPORTER_OTLP_ENDPOINT` says",
        ["telemetry.otlp.protocol"] = "`grpc`, or what `OTEL_EXPORTER_OTLP_PROTOCOL` says",
        ["telemetry.otlp.headers_file"] = "what `OTEL_EXPORTER_OTLP_HEADERS` says",
    };

    /// <summary>What the key means, and before it the kinds of provider that it is for when these are not all.</summary>
    public static string Of(EndpointKey key) => (key.IsOfAllKinds ? "" : $"With {Kinds(key.With.Keys)}. ") + All[key.Path];

    /// <summary>Kinds of provider as they are listed: <c>`pbs`, `cobalt`</c>.</summary>
    internal static string Kinds(IEnumerable<ProviderKind> kinds) => string.Join(", ", kinds.Select(static kind => $"`{SnakeCase.Of(kind)}`"));
}
