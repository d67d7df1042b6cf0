using System.Collections.Concurrent;

namespace FuncX.Cluster;

/// <summary>
/// Services that clusters use one after the other. A test that leaves its service as it is needs none of its own, only a user of its own:
/// names of endpoints and groups are a user's. One that was killed or has failed a test is not used again.
/// </summary>
public sealed class SharedServices : IAsyncDisposable
{
    private readonly ConcurrentBag<ServiceProcess> _free = [];
    private readonly Lazy<string> _directory = new(static () => LocalCluster.NewDirectory("services"));
    private int _services;
    private int _users;

    /// <summary>Those of this process; whoever uses them disposes of them at its end.</summary>
    public static SharedServices Ours { get; } = new();

    /// <summary>Gives a service that nobody uses, and a user that nobody was, with the token.</summary>
    internal async Task<(ServiceProcess Service, string User, string Token)> TakeAsync()
    {
        var isNew = !_free.TryTake(out var service);
        service ??= New();
        try
        {
            if (isNew)
                await service.StartAsync();
            var user = $"user{Interlocked.Increment(ref _users)}";
            return (service, user, await service.CreateTokenAsync(user));
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>Takes one back that is as it was.</summary>
    internal void GiveBack(ServiceProcess service) => _free.Add(service);

    /// <summary>Stops them all.</summary>
    /// <exception cref="InvalidOperationException">One did not end as it should.</exception>
    public async ValueTask DisposeAsync()
    {
        var problems = new List<string>();
        while (_free.TryTake(out var service))
        {
            await using (service)
            {
                try
                {
                    if (await service.StopAsync() is var exitCode and not 0)
                        problems.Add($"funcx-service on {service.DataDirectory} ended with {exitCode}:\n{service.Tail}");
                }
                catch (TimeoutException late)
                {
                    problems.Add(late.Message);
                }
            }
        }

        if (_directory.IsValueCreated)
            Directory.Delete(_directory.Value, recursive: true);
        if (problems.Count > 0)
            throw new InvalidOperationException(string.Join('\n', problems));
    }

    private ServiceProcess New()
    {
        var name = $"service{Interlocked.Increment(ref _services)}";
        return new ServiceProcess(Path.Combine(_directory.Value, name), Path.Combine(_directory.Value, $"{name}.log"));
    }
}
