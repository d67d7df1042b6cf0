using System.Runtime.InteropServices;
using System.Text.Json;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Hosting;
using Spectre.Console;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint status --watch</c>: redrawn in place on a terminal; a line each time, or a JSON object with <c>--json</c>, where there is none.</summary>
internal sealed class StatusWatch(ControlClient control, TimeSpan interval, bool json, TimeProvider time)
{
    private EndpointSnapshot? _previous;
    private long _previousTime;

    /// <summary>Goes on until it is interrupted, or the endpoint ends, which gives null.</summary>
    /// <exception cref="ControlException">The endpoint gives no answer.</exception>
    public async Task<int?> RunAsync()
    {
        using var interrupted = new CancellationTokenSource();
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        try
        {
            if (json || Console.IsOutputRedirected)
                await FollowAsync(static (status, frame) => Console.WriteLine(frame?.Line() ?? JsonSerializer.Serialize(status, EndpointStatusReport.JsonLine)), interrupted.Token);
            else
                await AnsiConsole.Live(Text.Empty).StartAsync(live => FollowAsync((_, frame) => live.UpdateTarget(Screen(frame!)), interrupted.Token));
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            return ExitCode.Done;
        }

        return null;

        void Interrupt(PosixSignalContext context)
        {
            context.Cancel = true;
            interrupted.Cancel();
        }
    }

    // What is longer than the terminal's line is cut: a line that breaks could not be drawn over.
    private static Text Screen(StatusFrame frame) => new(string.Join('\n', frame.Screen()), Style.Plain) { Overflow = Overflow.Ellipsis };

    private async Task FollowAsync(Action<EndpointStatusReport, StatusFrame?> show, CancellationToken cancellation)
    {
        while (await control.StatusAsync(cancellation) is { Dispatch: { } dispatch } status)
        {
            var now = time.GetTimestamp();
            var numbers = dispatch.Deserialize<EndpointSnapshot>(EndpointStatusReport.Json)!;
            show(status, json ? null : new StatusFrame(status, numbers, _previous, time.GetElapsedTime(_previousTime, now), time.GetUtcNow()));
            (_previous, _previousTime) = (numbers, now);
            await Task.Delay(interval, time, cancellation);
        }
    }
}
