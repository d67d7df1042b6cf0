namespace FuncX.Endpoint.Commands;

/// <summary>The text that <c>init</c> writes.</summary>
internal static class InitialConfiguration
{
    public static string Write(string name, string service) => $$"""
        # {{Comment(name)}}: one file = one machine. Keys left out have the value shown behind them; `funcx-endpoint validate --config FILE` checks.
        name: {{Quote(name)}}
        service: {{Quote(service)}}
        # description: what users should know about it
        state_dir: {{Quote("${HOME}/.funcx/" + name)}}    # 0700; identity, spool, rendezvous, logs

        provider:
          type: local                # this machine
          nodes: 1                   # managers of one block
        blocks: {min: 0, init: 0, max: 1, idle: 2m, parallelism: 1.0}

        transport: tcp
        # interfaces: [lo]           # where managers may dial in; left out: 127.0.0.1

        workers:
          # per_node: {{Environment.ProcessorCount}}               # left out: this machine's cores divided by cores_per_worker
          cores_per_worker: 1
          # init: |                  # bash, run once per node; the environment it leaves is that of the workers
          #   source ${HOME}/venv/bin/activate
          python: python3
          preload: []                # modules that every worker has imported before its first task
          isolation: fork
          prefetch: auto             # auto | 0..1024 tasks sent ahead per worker
          idle: 10m

        limits: {result: 10MiB, output: 1MiB, spool: 10GiB}    # and task_walltime: 45m, max_attempts: 3; left out: what the task asks for
        sharing: {mode: owner}       # only your own tasks run here

        """;

    // Double quotes: every character of a name or address stands for itself, and `validate` says which are not allowed.
    private static string Quote(string text)
    {
        var quoted = new System.Text.StringBuilder("\"");
        foreach (var letter in text)
        {
            if (letter is '"' or '\\')
                quoted.Append('\\').Append(letter);
            else if (char.IsControl(letter) || char.IsSurrogate(letter))
                quoted.Append($"\\u{(int)letter:x4}");
            else
                quoted.Append(letter);
        }

        return quoted.Append('"').ToString();
    }

    private static string Comment(string name) => new([.. name.Where(letter => !char.IsControl(letter))]);
}
