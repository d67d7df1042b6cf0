using System.Text.Json;
using FuncX.Contracts.V1;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using FuncX.Service.Tasks;
using FuncX.Tests.Unit.ServiceFront;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;
using static FuncX.Tests.Unit.ServiceTasks.ServiceTasksPlayed;

namespace FuncX.Tests.Unit.ServiceTasks;

/// <summary>Each limit by its key in service.yaml: what is just within it is taken, what is beyond it is refused by the limit's name and value.</summary>
public sealed class ServiceLimitsTests
{
    /// <summary>Limits that refuse nothing at the moment of a request; they have tests of their own.</summary>
    private static readonly string[] s_others = ["max_attempts", "result_retention", "result_bytes"];

    private static readonly Refusal[] s_refusals =
    [
        new("payload_bytes", "payload_bytes: 2KiB", "call 1 of batch {id} has 2049 bytes of arguments; the limit payload_bytes is 2048.",
            static played => played.SubmitAsync(3, 2048), static played => played.SubmitAsync(3, 2049)),
        new("batch_tasks", "batch_tasks: 3", "batch {id} has 4 calls; the limit batch_tasks is 3.",
            static played => played.SubmitAsync(3, 3, 3), static played => played.SubmitAsync(3, 3, 3, 3)),
        new("batch_bytes", "payload_bytes: 1KiB, batch_bytes: 2KiB", "batch {id} has 2049 bytes of arguments; the limit batch_bytes is 2048.",
            static played => played.SubmitAsync(1024, 1024), static played => played.SubmitAsync(1024, 1024, 1)),
        new("request_bytes", "payload_bytes: 1KiB, batch_bytes: 1KiB, batch_tasks: 10, code_bytes: 1MiB, request_bytes: 1MiB",
            "the request of /funcx.v1.Functions/Register has 1048577 bytes; the limit request_bytes is 1048576.",
            static played => played.RegisterOfAsync(1 << 20), static played => played.RegisterOfAsync((1 << 20) + 1)),
        new("queue_per_endpoint", "queue_per_endpoint: 3", "batch {id} of 1 tasks for endpoint '{endpoint}' is refused: 3 unfinished tasks are there and the limit queue_per_endpoint is 3.",
            static played => played.SubmitAsync(3, 3, 3), static played => played.SubmitAsync(3)),
        new("queue_per_user", "queue_per_user: 3", "batch {id} of 1 tasks of function '{function}' is refused: you have 3 unfinished tasks and the limit queue_per_user is 3.",
            static played => played.SubmitAsync(3, 3, 3), static played => played.SubmitElsewhereAsync(3)),
        new("most_attempts", "most_attempts: 5", "batch {id}: max_attempts is 6; the limit most_attempts is 5",
            static played => played.SubmitAsync(new TaskOptions { MaxAttempts = 5 }, 3), static played => played.SubmitAsync(new TaskOptions { MaxAttempts = 6 }, 3), StatusCode.InvalidArgument),
        new("requests_per_second", "requests_per_second: 7", "user 'ann' makes more than 7 calls per second (limit requests_per_second).",
            static played => played.CallAsync(4), static played => played.CallAsync(1_000)),
        new("streams_per_user", "streams_per_user: 2", "user 'ann' has 2 streams open; the limit streams_per_user is 2.",
            static played => played.FollowAsync(2), static played => played.FollowToTheEndAsync()),
        new("functions_per_user", "functions_per_user: 2", "user 'ann' has 2 functions, which is the limit functions_per_user.",
            static played => played.RegisterOfAsync(200), static played => played.RegisterOfAsync(201)),
        new("code_bytes", "code_bytes: 2KiB", "code of function 'double' has 2049 bytes; the limit code_bytes is 2048.",
            static played => played.RegisterCodeAsync(2048), static played => played.RegisterCodeAsync(2049)),
        new("containers_per_user", "containers_per_user: 2", "user 'ann' has 2 containers, which is the limit containers_per_user.",
            static async played =>
            {
                await played.RegisterContainerAsync("/first");
                await played.RegisterContainerAsync("/second");
                await played.RegisterContainerAsync("/first");
            },
            static played => played.RegisterContainerAsync("/third")),
        new("endpoints_per_user", "endpoints_per_user: 2", "user 'ann' has 2 endpoints, which is the limit endpoints_per_user.",
            static played => played.RegisterEndpointAsync("second"), static played => played.RegisterEndpointAsync("third")),
    ];

    public static TheoryData<string> Keys() => [.. s_refusals.Select(static refusal => refusal.Key)];

    [Theory]
    [MemberData(nameof(Keys))]
    public async Task What_is_beyond_a_limit_is_refused_by_its_name_and_value_and_what_is_within_is_not(string key)
    {
        var refusal = s_refusals.Single(known => known.Key == key);
        await using var service = await RunningService.StartAsync(Configured(refusal.Yaml));
        using var played = new Played(service);
        await refusal.Within(played);
        var refused = (await Should.ThrowAsync<RpcException>(() => refusal.Beyond(played))).Status;
        refused.StatusCode.ShouldBe(refusal.Status);
        refused.Detail.ShouldContain(refusal.Words
            .Replace("{id}", played.LastBatch, StringComparison.Ordinal)
            .Replace("{endpoint}", played.Endpoint, StringComparison.Ordinal)
            .Replace("{function}", played.Function, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Keys))]
    public void The_reference_says_how_it_is_refused(string key) =>
        ServiceFront.ServiceConfigurationReference.Limit(key).AtTheLimit.ShouldContain($"`{s_refusals.Single(known => known.Key == key).Status}`");

    [Fact]
    public void Every_limit_of_the_configuration_is_among_them() => typeof(ServiceLimits).GetProperties()
        .Where(static property => property.CanWrite)
        .Select(static property => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name))
        .ShouldBe(s_refusals.Select(static refusal => refusal.Key).Concat(s_others), ignoreOrder: true);

    [Fact]
    public async Task A_task_that_asks_for_no_number_of_attempts_has_the_limits()
    {
        await using var service = await RunningService.StartAsync(Configured("max_attempts: 2"));
        using var played = new Played(service);
        await played.SubmitAsync(3);
        (await played.GetAsync()).MaxAttempts.ShouldBe(2u);
        await played.SubmitAsync(new TaskOptions { MaxAttempts = 9 }, 3);
        (await played.GetAsync()).MaxAttempts.ShouldBe(9u);
    }

    [Fact]
    public async Task A_result_that_is_kept_no_longer_is_refused_by_the_name_and_value_of_the_limit()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var limits = Configured("result_retention: 90s");
        using var directory = new ScratchDirectory();
        var bearer = new Metadata();
        var task = "";
        await using (var service = await RunningService.StartAsync(limits, directory.Path, clock))
        {
            bearer = RunningService.Bearer(service.AdminToken);
            var (function, endpoint, _) = Register(service);
            // The batch stays known for its other task, and the log goes on with what comes later.
            var request = Request(function, endpoint, 2);
            var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
            await tasks.SubmitAsync(request, bearer);
            task = $"{BatchId.Read(request.BatchId.Span)}-0";
            await tasks.CancelAsync(new CancelRequest { TaskIds = { task } }, bearer);
            (await tasks.GetAsync(new GetTaskRequest { TaskId = task }, bearer)).Outcome.ShouldBe(Outcome.Cancelled);
            var engine = service.Get<TaskEngine>();
            await engine.SnapshotAsync();
            clock.Advance(TimeSpan.FromMinutes(2));
            await tasks.SubmitAsync(Request(function, endpoint, 1), bearer);
            for (var tick = 0; tick < 4; tick++)
            {
                clock.Advance(TimeSpan.FromMinutes(1));
                await engine.LookAsync(static _ => true);
                await engine.SnapshotAsync();
            }
        }

        // Without the results that are still in memory.
        await using (var service = await RunningService.StartAsync(limits, directory.Path, clock))
        {
            var tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
            var refused = (await Should.ThrowAsync<RpcException>(() => tasks.GetAsync(new GetTaskRequest { TaskId = task }, bearer).ResponseAsync)).Status;
            refused.ShouldBe(new Status(StatusCode.NotFound, $"the result of task '{task}' has expired; results are kept for 00:01:30 (limit result_retention)"));
            await tasks.CancelAsync(new CancelRequest { Group = "g" }, bearer);
            using var results = tasks.Results(new ResultsRequest { Group = "g" }, bearer);
            refused = (await Should.ThrowAsync<RpcException>(() => results.ResponseStream.MoveNext(TestContext.Current.CancellationToken))).Status;
            refused.StatusCode.ShouldBe(StatusCode.OutOfRange);
            refused.Detail.ShouldEndWith("Results are kept for 00:01:30 (limit result_retention).");
        }
    }

    private static ServiceLimits Configured(string yaml)
    {
        var result = ServiceConfiguration.Parse("service.yaml", $"limits: {{{yaml}}}");
        result.Errors.ShouldBeEmpty();
        return result.Value!.Limits;
    }

    private sealed record Refusal(string Key, string Yaml, string Words, Func<Played, Task> Within, Func<Played, Task> Beyond, StatusCode Status = StatusCode.ResourceExhausted);

    /// <summary>User ann with a function and an endpoint, and what she asks for.</summary>
    private sealed class Played : IDisposable
    {
        private readonly RunningService _service;
        private readonly Contracts.V1.Tasks.TasksClient _tasks;
        private readonly Metadata _bearer;
        private readonly List<IDisposable> _streams = [];

        public Played(RunningService service)
        {
            _service = service;
            _tasks = new Contracts.V1.Tasks.TasksClient(service.Channel);
            var token = service.CreateToken("ann").Text;
            _bearer = RunningService.Bearer(token);
            (Function, Endpoint, _) = Register(service, token);
        }

        public string Function { get; }

        public string Endpoint { get; }

        public string LastBatch { get; private set; } = "none";

        public Task SubmitAsync(params int[] lengths) => SubmitAsync(new TaskOptions(), lengths);

        public Task SubmitAsync(TaskOptions options, params int[] lengths) => SubmitAsync(Endpoint, options, lengths);

        public async Task SubmitElsewhereAsync(params int[] lengths)
        {
            var other = await _service.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = "elsewhere" }, _bearer);
            await SubmitAsync(other.EndpointId, new TaskOptions(), lengths);
        }

        public async Task<TaskInfo> GetAsync() => await _tasks.GetAsync(new GetTaskRequest { TaskId = $"{LastBatch}-0" }, _bearer);

        /// <summary>Registers a function by a message of so many bytes.</summary>
        public Task RegisterOfAsync(int bytes)
        {
            var request = Registration(bytes - (Registration(bytes).CalculateSize() - bytes));
            request.CalculateSize().ShouldBe(bytes);
            return _service.Functions.RegisterAsync(request, _bearer).ResponseAsync;
        }

        public Task RegisterCodeAsync(int bytes) => _service.Functions.RegisterAsync(Registration(bytes), _bearer).ResponseAsync;

        public Task RegisterContainerAsync(string image) =>
            _service.Containers.RegisterAsync(new RegisterContainerRequest { Name = "image", Images = { ["apptainer"] = image } }, _bearer).ResponseAsync;

        public Task RegisterEndpointAsync(string name) => _service.Endpoints.RegisterAsync(new RegisterEndpointRequest { Name = name }, _bearer).ResponseAsync;

        public async Task CallAsync(int times)
        {
            for (var call = 0; call < times; call++)
                await _service.Functions.ListAsync(new ListFunctionsRequest(), _bearer);
        }

        /// <summary>Opens streams and keeps them; each is open once it has answered with its headers.</summary>
        public async Task FollowAsync(int streams)
        {
            for (var number = 0; number < streams; number++)
            {
                var stream = _tasks.Results(new ResultsRequest { Group = "g", Follow = true }, _bearer);
                _streams.Add(stream);
                await stream.ResponseHeadersAsync;
            }
        }

        /// <summary>Opens a stream and waits for its end.</summary>
        public async Task FollowToTheEndAsync()
        {
            using var stream = _tasks.Results(new ResultsRequest { Group = "g", Follow = true }, _bearer);
            await stream.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));
        }

        public void Dispose() => _streams.ForEach(static stream => stream.Dispose());

        private static RegisterFunctionRequest Registration(int codeBytes) =>
            new() { Kind = FunctionKind.Python, Name = "double", Entry = "double", Code = ByteString.CopyFromUtf8(new string('#', codeBytes)) };

        private async Task SubmitAsync(string endpoint, TaskOptions options, int[] lengths)
        {
            var request = Request(Function, endpoint, 1);
            Resize(request, lengths);
            request.Options = options;
            LastBatch = BatchId.Read(request.BatchId.Span).ToString();
            await _tasks.SubmitAsync(request, _bearer);
        }
    }
}
