using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FuncX.Wire;

namespace FuncX.Workers;

/// <summary>
/// A worker: says hello, is told functions, runs tasks one at a time in the order they come, answers each. As protocol/README.md says under "Worker and manager";
/// without the result ring.
/// </summary>
public static class WorkerLoop
{
    /// <summary>The exit status of a worker that was sent what it does not understand.</summary>
    private const int Malformed = 76;

    private const long MostFunctionBytes = 64 << 20;

    public static int Run<TFunction>(IFunctionRunner<TFunction> runner)
        where TFunction : class
    {
        try
        {
            using var socket = WorkerSocket.TakeDescriptor0();
            return Serve(socket, runner);
        }
        catch (FrameException problem)
        {
            Console.Error.WriteLine($"worker: {problem.Message}");
            return Malformed;
        }
        catch (SocketException)
        {
            // The manager is gone; nobody is left to be told.
            return 1;
        }
    }

    private static int Serve<TFunction>(WorkerSocket socket, IFunctionRunner<TFunction> runner)
        where TFunction : class
    {
        Send(socket, FrameKind.Hello, new WorkerHello("worker", ProtocolVersion.Product, ProtocolVersion.Minimum, ProtocolVersion.Maximum, Environment.ProcessId, runner.Runtime), WorkerJson.Default.WorkerHello);
        if (!socket.TryReceive(FrameHeader.MaxBody, out var header, out var body))
            return 1;
        if (header.Kind == FrameKind.Refused)
        {
            Console.Error.WriteLine($"worker: the manager refused it: {Read(body, WorkerJson.Default.RefusedMessage).Reason}");
            return 1;
        }

        if (header.Kind != FrameKind.Welcome)
            throw new FrameException($"a frame of kind {header.Kind} where the welcome was due");
        var limits = Read(body, WorkerJson.Default.WorkerWelcome);
        var functions = new Dictionary<uint, Defined<TFunction>>();
        while (socket.TryReceive(Math.Max(limits.ArgumentLimit, MostFunctionBytes), out header, out body))
        {
            switch (header.Kind)
            {
                case FrameKind.Function:
                    functions[header.Function] = Define(runner, Read(body, WorkerJson.Default.FunctionMessage));
                    break;
                case FrameKind.Task:
                    var started = Now();
                    var answer = functions.TryGetValue(header.Function, out var function)
                        ? Run(runner, function, header, body, limits)
                        : Answer.Failed("UnknownFunction", $"the worker was not told function number {header.Function}", outcome: TaskOutcome.Rejected);
                    Reply(socket, header, answer, started);
                    break;
                case FrameKind.Drain:
                    return 0;
                case FrameKind.Heartbeat:
                    break;
                default:
                    throw new FrameException($"a frame of kind {header.Kind} was sent to a worker");
            }
        }

        return 0;
    }

    private static Answer Run<TFunction>(IFunctionRunner<TFunction> runner, Defined<TFunction> function, in FrameHeader task, byte[] arguments, WorkerWelcome limits)
        where TFunction : class
    {
        if (function.Failure is not null)
            return function.Failure;
        var answer = runner.Run(function.Function!, task, arguments, limits);
        return answer.Outcome != TaskOutcome.Value || answer.Value.Length <= limits.ResultLimit
            ? answer
            : Answer.Failed("ResultTooLarge", $"the result has {answer.Value.Length} bytes; the endpoint's limit limits.result is {limits.ResultLimit}", outcome: TaskOutcome.TooLarge) with
            {
                Stdout = answer.Stdout,
                Stderr = answer.Stderr,
            };
    }

    private static Defined<TFunction> Define<TFunction>(IFunctionRunner<TFunction> runner, FunctionMessage function)
        where TFunction : class
    {
        try
        {
            return new Defined<TFunction>(runner.Define(function), null);
        }
        catch (Exception problem) when (problem is not OutOfMemoryException)
        {
            return new Defined<TFunction>(null, Answer.Failed(problem.GetType().Name, problem.Message));
        }
    }

    private static void Reply(WorkerSocket socket, FrameHeader header, Answer answer, long started)
    {
        var body = new byte[ResultPrefix.Size + answer.Value.Length + answer.Stdout.Length + answer.Stderr.Length];
        new ResultPrefix
        {
            Outcome = answer.Outcome,
            ContentType = answer.ContentType,
            Code = (short)answer.Code,
            StdoutBytes = answer.Stdout.Length,
            StderrBytes = answer.Stderr.Length,
            WorkerStarted = started,
            WorkerEnded = Now(),
        }.Write(body);
        answer.Value.CopyTo(body, ResultPrefix.Size);
        answer.Stdout.CopyTo(body, ResultPrefix.Size + answer.Value.Length);
        answer.Stderr.CopyTo(body, body.Length - answer.Stderr.Length);
        header.Kind = FrameKind.Result;
        header.Flags = FrameFlags.None;
        header.ContentType = answer.ContentType;
        socket.Send(header, body);
    }

    private static void Send<T>(WorkerSocket socket, FrameKind kind, T message, JsonTypeInfo<T> type) =>
        socket.Send(new FrameHeader { Kind = kind, ContentType = ContentType.Json }, JsonSerializer.SerializeToUtf8Bytes(message, type));

    private static T Read<T>(byte[] body, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw new FrameException("a message is null");
        }
        catch (JsonException problem)
        {
            throw new FrameException($"a message is not what is due: {problem.Message}");
        }
    }

    private static long Now() => (DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks) / 10;

    private sealed record Defined<TFunction>(TFunction? Function, Answer? Failure)
        where TFunction : class;
}
