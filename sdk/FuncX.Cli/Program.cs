using FuncX.Cli;

return await new CommandLine(Terminal.Standard()).RunAsync(args);
