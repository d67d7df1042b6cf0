using FuncX.Wire;
using Google.Protobuf;
using FuncX.Tests.Integration.Harness;
using Grpc.Core;

namespace FuncX.Tests.Integration.Delivery;

[Collection(SharedClusterCollection.Name)]
public sealed class SameBatchAgainTests(SharedCluster shared)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_same_batch_is_answered_as_before_and_with_other_content_refused(bool finished)
    {
        var function = await shared.FunctionAsync(finished ? Python.Square : Python.Nap);
        var group = SharedCluster.NewGroup();
        var batch = ServiceApi.NewBatch();
        string[] arguments = finished ? ["[1]", "[2]"] : ["[0.3,1]", "[0.3,2]"];
        (await SubmitAsync(arguments)).Already.ShouldBeFalse();
        if (finished)
            await shared.Api.WaitAsync(group, 2);

        (await SubmitAsync(arguments)).Already.ShouldBeTrue();
        (await Should.ThrowAsync<RpcException>(() => SubmitAsync([arguments[0], "[3,3]"]))).StatusCode.ShouldBe(StatusCode.AlreadyExists);
        (await Should.ThrowAsync<RpcException>(() => SubmitAsync([arguments[0]]))).StatusCode.ShouldBe(StatusCode.AlreadyExists);

        var results = await shared.Api.WaitAsync(group, 2);
        results.Keys.ShouldAllBe(task => task.Batch == batch);
        (await shared.Api.GroupAsync(group)).Tasks.ShouldBe(2);

        async Task<SubmitReply> SubmitAsync(string[] calls) => await shared.Api.Tasks.SubmitAsync(
            ServiceApi.Request(function, shared.Cluster.EndpointId, group, calls, null, batch), shared.Api.Headers);
    }

    [Fact]
    public async Task On_a_stream_a_refused_batch_is_a_reply_and_the_others_go_on()
    {
        var function = await shared.FunctionAsync(Python.Square);
        var group = SharedCluster.NewGroup();
        var good = Enumerable.Range(0, 20).Select(i => ServiceApi.Request(function, shared.Cluster.EndpointId, group, [$"[{i}]"])).ToList();
        var other = ServiceApi.Request(function, shared.Cluster.EndpointId, group, ["[99]"], null, BatchId.Read(good[3].BatchId.Span));
        var unknown = ServiceApi.Request(new string('0', 64), shared.Cluster.EndpointId, group, ["[1]"]);

        using var call = shared.Api.Tasks.SubmitStream(shared.Api.Headers);
        foreach (var request in good.Append(other).Append(unknown))
            await call.RequestStream.WriteAsync(request);
        await call.RequestStream.CompleteAsync();
        var replies = new List<SubmitReply>();
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
            replies.Add(call.ResponseStream.Current);

        var accepted = replies.Where(static reply => reply.ErrorCode == 0).SelectMany(static reply => reply.BatchIds.Chunk(BatchId.Size)).Select(static id => ByteString.CopyFrom(id)).ToList();
        accepted.Count.ShouldBe(20);
        accepted.ToHashSet().SetEquals(good.Select(static request => request.BatchId)).ShouldBeTrue();
        replies.Where(static reply => reply.ErrorCode != 0).Select(static reply => (StatusCode)reply.ErrorCode).Order()
            .ShouldBe([StatusCode.NotFound, StatusCode.AlreadyExists]);
        await shared.Api.WaitAsync(group, 20);
    }
}
