using System.CommandLine;
using FuncX.Configuration;
using FuncX.Service.Commands;
using FuncX.Service.Storage;

// A young generation of 64 MiB is collected a quarter as often. Benchmark: bench throughput, batch1_unary_per_s.
if (args is not ["token" or "backup" or "check", ..])
    RuntimeEnvironment.Apply(("DOTNET_GCgen0size", "4000000"));
// What a socket brings is handled on the thread that polled for it: one hop less in each direction. Read when the first socket is made.
Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
SqliteLibrary.Choose();
var root = new RootCommand("funcx-service: keeps functions, endpoints and tasks, and passes tasks on to endpoints.");
StartCommand.Configure(root);
var start = new Command("start", "Run the service in the foreground (the default).");
StartCommand.Configure(start);
root.Subcommands.Add(start);
root.Subcommands.Add(TokenCommand.Create());
root.Subcommands.Add(BackupCommands.CreateBackup());
root.Subcommands.Add(BackupCommands.CreateCheck());
var parsed = root.Parse(args);
// Signals belong to the host, which stops cleanly; the command line's own handling would end the process under it.
parsed.InvocationConfiguration.ProcessTerminationTimeout = null;
var code = await parsed.InvokeAsync();
return parsed.Errors.Count > 0 ? 2 : code;
