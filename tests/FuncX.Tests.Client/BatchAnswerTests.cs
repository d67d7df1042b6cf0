using System.Runtime.CompilerServices;
using FuncX.Client;
using FuncX.Client.Json;
using FuncX.Client.Submission;
using FuncX.Contracts.V1;
using FuncX.Tests.Client.Fake;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>What is left of a batch once the service has answered it.</summary>
public sealed class BatchAnswerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_refusal_that_nobody_awaits_is_no_unobserved_exception(bool askedBefore)
    {
        var reason = $"queue {Guid.NewGuid()} is full";
        var unobserved = 0;
        void OnUnobserved(object? sender, UnobservedTaskExceptionEventArgs problem)
        {
            if (problem.Exception.ToString().Contains(reason, StringComparison.Ordinal))
                Interlocked.Increment(ref unobserved);
        }

        TaskScheduler.UnobservedTaskException += OnUnobserved;
        try
        {
            await using var service = await FakeService.StartAsync();
            var (function, endpoint) = (service.State.AddFunction("same"), service.State.AddEndpoint("lab"));
            var answer = new TaskCompletionSource();
            service.State.SubmissionArrives = (_, _) => answer.Task;
            service.State.Refusal = _ => new Status(StatusCode.ResourceExhausted, reason);
            await using var client = service.Client();
            var handle = await client.SubmitAsync<int, int>(function, endpoint, 1, cancellation: Token);
            WeakReference? accepted = null;
            if (askedBefore)
                accepted = AskAccepted(handle);
            answer.SetResult();
            (await Should.ThrowAsync<FuncXException>(() => handle.AsTask())).Message.ShouldContain(reason);
            accepted ??= AskAccepted(handle);

            for (var collection = 0; accepted.IsAlive && collection < 100; collection++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }

            accepted.IsAlive.ShouldBeFalse();
            unobserved.ShouldBe(0);
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= OnUnobserved;
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_request_that_is_answered_refers_to_its_buffer_no_more(bool accepted)
    {
        var target = new SubmitTarget(new FunctionId("f"), new EndpointId("e"), "g", new TaskOptions());
        var batch = new PlainBatch(target);
        batch.Add(12345, new ArgumentEncoder<int>(null, System.Text.Json.JsonSerializerOptions.Default));
        batch.Seal(TimeProvider.System);
        var request = batch.Request;
        request.Bodies.ToStringUtf8().ShouldBe("[12345]");

        if (accepted)
            batch.Accept();
        else
            batch.Refuse(new FuncXException(FuncXErrorKind.Refused, "no"));

        request.Bodies.IsEmpty.ShouldBeTrue();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference AskAccepted(TaskHandle<int> handle) => new(handle.Accepted, trackResurrection: false);

    private sealed class PlainBatch(SubmitTarget target) : OutgoingBatch(target, TimeProvider.System, bufferBytes: 64)
    {
        protected override void OnAccepted()
        {
        }

        protected override void OnRefused(FuncXException problem)
        {
        }
    }
}
