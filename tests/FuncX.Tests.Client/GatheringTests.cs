using FuncX.Client.Connection;
using FuncX.Contracts.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

public sealed class GatheringTests
{
    /// <summary>What is said where the stream is opened has to arrive where its content is, through a library that knows nothing of it.</summary>
    [Fact]
    public async Task The_stream_that_is_opened_is_gathered_and_no_other_call_is()
    {
        var contents = new List<HttpContent?>();
        using var channel = GrpcChannel.ForAddress("http://127.0.0.1:1", new GrpcChannelOptions { HttpHandler = new GatheringHandler(new Recorder(contents)) });
        var tasks = new Tasks.TasksClient(channel);

        using (var gathered = new Gathering().Open(() => tasks.SubmitStream()))
            await EndAsync(gathered);
        using (var plain = tasks.SubmitStream())
            await EndAsync(plain);
        await Should.ThrowAsync<RpcException>(async () => await tasks.GetGroupAsync(new GetGroupRequest()));

        contents.Count.ShouldBe(3);
        contents[0].ShouldBeOfType<GatheredContent>().Headers.ContentType!.MediaType.ShouldBe("application/grpc");
        contents[1].ShouldNotBeOfType<GatheredContent>();
        contents[2].ShouldNotBeOfType<GatheredContent>();
    }

    private static Task EndAsync(AsyncDuplexStreamingCall<SubmitRequest, SubmitReply> call) =>
        Should.ThrowAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));

    private sealed class Recorder(List<HttpContent?> contents) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            contents.Add(request.Content);
            throw new HttpRequestException("nobody is there");
        }
    }
}
