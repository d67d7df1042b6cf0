using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json.Serialization.Metadata;
using FuncX.Client.Calls;
using FuncX.Client.Connection;
using FuncX.Client.Json;
using FuncX.Client.Mapping;
using FuncX.Client.Registry;
using FuncX.Client.Results;
using FuncX.Client.Submission;
using FuncX.Contracts;
using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Client;

/// <summary>
/// A user's connection to a FuncX service: registers functions, calls them on endpoints, and brings the results back. Safe for any number of threads; make one and
/// keep it. It reconnects by itself: a call that the service has accepted is not lost by a restart of the service, and none is submitted twice.
/// Errors are <see cref="FuncXException"/>; a task without a value is <see cref="RemoteTaskException"/>.
/// </summary>
public sealed class FuncXClient : IAsyncDisposable
{
    private static readonly CallSettings Plain = new();

    private readonly ServiceConnection _service;
    private readonly FuncXClientOptions _options;
    private readonly TimeProvider _time;
    private readonly CallSession _session;
    private bool _disposed;

    /// <summary>A client for the service at <paramref name="address"/>; nothing is sent yet.</summary>
    /// <param name="address"><c>https://HOST[:PORT]</c>; <c>http://</c> for this machine's loopback only, since the token would travel in clear.</param>
    /// <param name="token">The user's token.</param>
    public FuncXClient(Uri address, string token, FuncXClientOptions? options = null, TimeProvider? time = null)
    {
        _options = options ?? new FuncXClientOptions();
        _options.Validate();
        _time = time ?? TimeProvider.System;
        _service = new ServiceConnection(address, token, _options, _time);
        _session = new CallSession(_service, _options, _time, _options.Group ?? NewGroup());
        Functions = new FunctionRegistry(_service);
        Containers = new ContainerRegistry(_service);
        Endpoints = new EndpointRegistry(_service);
        Tasks = new TaskQueries(_service);
    }

    /// <summary>Where the service is.</summary>
    public Uri Address => _service.Address;

    /// <summary>The group of single calls and of <see cref="SubmitManyAsync"/>.</summary>
    public string Group => _session.Group;

    /// <summary>Registered code.</summary>
    public FunctionRegistry Functions { get; }

    /// <summary>Images that functions run in.</summary>
    public ContainerRegistry Containers { get; }

    /// <summary>Machines that execute.</summary>
    public EndpointRegistry Endpoints { get; }

    /// <summary>Tasks and groups by id: states, hop times, results again, cancellation.</summary>
    public TaskQueries Tasks { get; }

    /// <summary>A client for the service and token that <c>funcx login</c> stored.</summary>
    /// <param name="service">Address of a service logged in to; null: the current one.</param>
    /// <param name="path">The credentials file; null: <see cref="CredentialsFile.DefaultPath"/>.</param>
    /// <exception cref="FuncXException">There is no login.</exception>
    public static FuncXClient FromCredentials(string? service = null, string? path = null, FuncXClientOptions? options = null)
    {
        path ??= CredentialsFile.DefaultPath;
        var credentials = CredentialsFile.Read(path);
        var address = (service is null ? null : new Uri(service).GetLeftPart(UriPartial.Authority)) ?? credentials.Current
            ?? throw new FuncXException(FuncXErrorKind.NotAuthorised, $"There is no login in {path}. Run: funcx login ADDRESS");
        if (!credentials.Tokens.TryGetValue(address, out var token))
            throw new FuncXException(FuncXErrorKind.NotAuthorised, $"There is no login for {address} in {path}. Run: funcx login {address}");
        return new FuncXClient(new Uri(address), token, options);
    }

    /// <summary>Registers Python source that defines <paramref name="entry"/>; see <see cref="FunctionRegistry.RegisterPythonAsync"/>.</summary>
    public Task<FunctionInfo> RegisterPythonAsync(string source, string entry, string? name = null, CancellationToken cancellation = default) =>
        Functions.RegisterPythonAsync(source, entry, name, cancellation: cancellation);

    /// <summary>
    /// Submits one call with one positional argument. Returns as soon as the call is on its way; <see cref="TaskHandle{T}.Accepted"/> says when the service has it
    /// durably, and awaiting the handle gives the value. Waits only while <see cref="FuncXClientOptions.UnacknowledgedBytes"/> are unanswered.
    /// </summary>
    public ValueTask<TaskHandle<TResult>> SubmitAsync<TArg, TResult>(
        FunctionId function, EndpointId endpoint, TArg argument, CallSettings? settings = null, JsonTypeInfo<TArg>? argumentType = null, JsonTypeInfo<TResult>? resultType = null, CancellationToken cancellation = default) =>
        _session.SubmitAsync(function, endpoint, argument, settings ?? Plain, argumentType, resultType, cancellation);

    /// <summary>Submits one call with any arguments.</summary>
    public ValueTask<TaskHandle<TResult>> SubmitAsync<TResult>(
        FunctionId function, EndpointId endpoint, CallArguments arguments, CallSettings? settings = null, CancellationToken cancellation = default) =>
        _session.SubmitAsync<CallArguments, TResult>(function, endpoint, arguments, settings ?? Plain, null, null, cancellation);

    /// <summary>Submits one call with one positional argument and waits for its value. Cancelling stops the waiting, not the task.</summary>
    public async Task<TResult> CallAsync<TArg, TResult>(
        FunctionId function, EndpointId endpoint, TArg argument, CallSettings? settings = null, JsonTypeInfo<TArg>? argumentType = null, JsonTypeInfo<TResult>? resultType = null, CancellationToken cancellation = default)
    {
        var handle = await _session.SubmitAsync(function, endpoint, argument, settings ?? Plain, argumentType, resultType, cancellation);
        return await (cancellation.CanBeCanceled ? handle.AsTask().WaitAsync(cancellation) : handle.AsTask());
    }

    /// <summary>Submits one call with any arguments and waits for its value. Cancelling stops the waiting, not the task.</summary>
    public Task<TResult> CallAsync<TResult>(
        FunctionId function, EndpointId endpoint, CallArguments arguments, CallSettings? settings = null, CancellationToken cancellation = default) =>
        CallAsync<CallArguments, TResult>(function, endpoint, arguments, settings, null, null, cancellation);

    /// <summary>Submits a call for each argument, in as few messages as they need, and returns when the service has all of them durably.</summary>
    public Task<TaskHandle<TResult>[]> SubmitManyAsync<TArg, TResult>(
        FunctionId function, EndpointId endpoint, IEnumerable<TArg> arguments, CallSettings? settings = null, JsonTypeInfo<TArg>? argumentType = null, JsonTypeInfo<TResult>? resultType = null, CancellationToken cancellation = default) =>
        _session.SubmitManyAsync(function, endpoint, arguments, settings ?? Plain, argumentType, resultType, cancellation);

    /// <summary>
    /// Submits a call for each of many arguments and does not wait for their outcomes: those are read by the group's name, by this program or another. In memory that does not
    /// depend on how many there are. Returns when the service has all of them durably.
    /// </summary>
    /// <param name="progress">Told how many the service has, now and then.</param>
    /// <returns>How many there were, and their batches.</returns>
    public async Task<Submitted> SubmitAllAsync(
        FunctionId function, EndpointId endpoint, IAsyncEnumerable<CallArguments> arguments, string group, CallSettings? settings = null, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        var bulk = new BulkSubmission(_service, group, _time, progress);
        var like = new SubmitRequest { FunctionId = function.Value, EndpointId = endpoint.Value, ContentType = (uint)ContentType.Json, Options = (settings ?? Plain).ToContract() };
        like.Labels.Add((settings ?? Plain).Labels.ToDictionary());
        var body = new PooledBuffer(4096);
        try
        {
            await foreach (var one in arguments.WithCancellation(cancellation))
            {
                body.Truncate(0);
                like.ContentType = (uint)one.ContentType;
                one.Write(body, _options.Json);
                await bulk.AddAsync(like, body.Written, cancellation);
            }
        }
        finally
        {
            body.Return();
        }

        await bulk.CompleteAsync(cancellation);
        return new Submitted(bulk.Accepted, bulk.Batches);
    }

    /// <summary>
    /// Submits the calls of earlier tasks again, as they were, in another group, and does not wait for their outcomes. One that ran after another of them runs after that
    /// one's repetition.
    /// </summary>
    /// <param name="progress">Told how many the service has, now and then.</param>
    /// <returns>How many there were, and those whose arguments the service has no more or that ran after one of them that failed.</returns>
    public async Task<(long Submitted, long Forgotten)> ResubmitAsync(IAsyncEnumerable<TaskInfo> tasks, string group, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        var bulk = new BulkSubmission(_service, group, _time, progress);
        var again = new Resubmission(Tasks, bulk);
        await foreach (var task in tasks.WithCancellation(cancellation))
            await again.AddAsync(task, cancellation);
        await again.CompleteAsync(cancellation);
        return (bulk.Accepted, again.Forgotten);
    }

    /// <summary>
    /// Calls the function for each argument and gives the values, in order or as they come, in memory that does not depend on how many there are: the source is read
    /// only as far as <see cref="MapOptions.Window"/> allows. The first task without a value ends it with its exception; <see cref="MapResultsAsync{TArg, TResult}(FunctionId, EndpointId, IEnumerable{TArg}, MapOptions?, JsonTypeInfo{TArg}?, JsonTypeInfo{TResult}?, CancellationToken)"/>
    /// goes on. Leaving it early cancels what has not run.
    /// </summary>
    public IAsyncEnumerable<TResult> MapAsync<TArg, TResult>(
        FunctionId function, EndpointId endpoint, IEnumerable<TArg> arguments, MapOptions? options = null, JsonTypeInfo<TArg>? argumentType = null, JsonTypeInfo<TResult>? resultType = null, CancellationToken cancellation = default)
    {
        var setup = Setup(function, endpoint, options, argumentType, resultType);
        return ValuesAsync(setup, (run, token) => new MapSource<TArg, TResult>(setup).ReadAsync(arguments, run, token), cancellation);
    }

    /// <summary>The same for a source that is awaited; a call goes as soon as the source has nothing more to give at the moment.</summary>
    public IAsyncEnumerable<TResult> MapAsync<TArg, TResult>(
        FunctionId function, EndpointId endpoint, IAsyncEnumerable<TArg> arguments, MapOptions? options = null, JsonTypeInfo<TArg>? argumentType = null, JsonTypeInfo<TResult>? resultType = null, CancellationToken cancellation = default)
    {
        var setup = Setup(function, endpoint, options, argumentType, resultType);
        return ValuesAsync(setup, (run, token) => new MapSource<TArg, TResult>(setup).ReadAsync(arguments, run, token), cancellation);
    }

    /// <summary>Like <see cref="MapAsync{TArg, TResult}(FunctionId, EndpointId, IEnumerable{TArg}, MapOptions?, JsonTypeInfo{TArg}?, JsonTypeInfo{TResult}?, CancellationToken)"/>, with every outcome: a failed task is a result with an error, and the map goes on.</summary>
    public IAsyncEnumerable<MapResult<TResult>> MapResultsAsync<TArg, TResult>(
        FunctionId function, EndpointId endpoint, IEnumerable<TArg> arguments, MapOptions? options = null, JsonTypeInfo<TArg>? argumentType = null, JsonTypeInfo<TResult>? resultType = null, CancellationToken cancellation = default)
    {
        var setup = Setup(function, endpoint, options, argumentType, resultType);
        return ResultsAsync(setup, (run, token) => new MapSource<TArg, TResult>(setup).ReadAsync(arguments, run, token), cancellation);
    }

    /// <summary>The same for a source that is awaited.</summary>
    public IAsyncEnumerable<MapResult<TResult>> MapResultsAsync<TArg, TResult>(
        FunctionId function, EndpointId endpoint, IAsyncEnumerable<TArg> arguments, MapOptions? options = null, JsonTypeInfo<TArg>? argumentType = null, JsonTypeInfo<TResult>? resultType = null, CancellationToken cancellation = default)
    {
        var setup = Setup(function, endpoint, options, argumentType, resultType);
        return ResultsAsync(setup, (run, token) => new MapSource<TArg, TResult>(setup).ReadAsync(arguments, run, token), cancellation);
    }

    /// <summary>
    /// Ends the streams. Tasks go on; their results can be read again by <see cref="Group"/>. Handles without an outcome fail with <see cref="FuncXException"/>,
    /// and so do calls that come later.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
            return;
        try
        {
            await _session.DisposeAsync();
        }
        finally
        {
            _service.Dispose();
        }
    }

    /// <summary>A group name that nobody else uses.</summary>
    public static string NewGroup() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));

    private MapSetup<TArg, TResult> Setup<TArg, TResult>(
        FunctionId function, EndpointId endpoint, MapOptions? options, JsonTypeInfo<TArg>? argumentType, JsonTypeInfo<TResult>? resultType)
    {
        options ??= new MapOptions();
        options.Validate();
        var target = new SubmitTarget(function, endpoint, options.Group ?? NewGroup(), options.Settings.ToContract()) { Labels = options.Settings.Labels, ContentType = options.Octets ? ContentType.Octets : ContentType.Json };
        if (options.Octets && typeof(TArg) != typeof(CallArguments))
            throw new ArgumentException($"A map of bytes takes {nameof(CallArguments)}, not {typeof(TArg).Name}.", nameof(options));
        return new MapSetup<TArg, TResult>(
            target, options, options.BatchSize ?? _options.BatchSize, _options.BatchBytes, _session.Encoder(argumentType), _session.Decoder(resultType), _time);
    }

    private IAsyncEnumerable<TResult> ValuesAsync<TArg, TResult>(
        MapSetup<TArg, TResult> setup, Func<MapRun<TArg, TResult>, CancellationToken, Task> read, CancellationToken cancellation) =>
        OutcomesAsync(setup, read, static (batch, position) => batch.ValueAt(position), cancellation);

    private IAsyncEnumerable<MapResult<TResult>> ResultsAsync<TArg, TResult>(
        MapSetup<TArg, TResult> setup, Func<MapRun<TArg, TResult>, CancellationToken, Task> read, CancellationToken cancellation) =>
        OutcomesAsync(setup, read, static (batch, position) => batch.ResultAt(position), cancellation);

    private async IAsyncEnumerable<TOutcome> OutcomesAsync<TArg, TResult, TOutcome>(
        MapSetup<TArg, TResult> setup, Func<MapRun<TArg, TResult>, CancellationToken, Task> read, Func<MapBatch<TResult>, int, TOutcome> outcome, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await using var run = new MapRun<TArg, TResult>(_service, _options, setup, cancellation);
        run.Start(read);
        while (await run.NextAsync())
        {
            var batch = run.Current;
            for (var position = run.From; position < run.To; position++)
                yield return outcome(batch, position);
            run.Release();
        }
    }
}
