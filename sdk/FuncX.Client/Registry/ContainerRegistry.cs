using FuncX.Client.Connection;
using FuncX.Contracts.V1;

namespace FuncX.Client.Registry;

/// <summary>The caller's containers at the service: images that functions run in. Errors are <see cref="FuncXException"/>.</summary>
public sealed class ContainerRegistry
{
    private readonly ServiceConnection _service;

    internal ContainerRegistry(ServiceConnection service) => _service = service;

    /// <summary>Registers a container. The same images and environment give the same id.</summary>
    /// <param name="name">For people.</param>
    /// <param name="images">The image for each runtime that is to run it: <c>apptainer</c>, <c>shifter</c>, <c>podman</c>, <c>docker</c>, <c>charliecloud</c>, <c>bubblewrap</c>.</param>
    /// <param name="environment">Variables set inside.</param>
    /// <param name="description">For people.</param>
    public Task<ContainerInfo> RegisterAsync(
        string name, IReadOnlyDictionary<string, string> images, IReadOnlyDictionary<string, string>? environment = null, string description = "", CancellationToken cancellation = default)
    {
        var request = new RegisterContainerRequest { Name = name, Description = description };
        foreach (var (runtime, image) in images)
            request.Images[runtime] = image;
        foreach (var (variable, value) in environment ?? new Dictionary<string, string>())
            request.Environment[variable] = value;
        return _service.CallAsync(options => _service.Containers.RegisterAsync(request, options), $"Registering container '{name}'", cancellation);
    }

    /// <summary>One container by id, by the first 8 or more digits of its id, or by name (the newest of that name).</summary>
    public Task<ContainerInfo> GetAsync(string container, CancellationToken cancellation = default) => _service.CallAsync(
        options => _service.Containers.GetAsync(new GetContainerRequest { Container = container }, options), $"Container '{container}'", cancellation);

    /// <summary>The newest containers first.</summary>
    /// <param name="limit">1 to 1,000.</param>
    public async Task<IReadOnlyList<ContainerInfo>> ListAsync(int limit = 100, CancellationToken cancellation = default)
    {
        var reply = await _service.CallAsync(
            options => _service.Containers.ListAsync(new ListContainersRequest { Limit = limit }, options), "Listing containers", cancellation);
        return reply.Containers;
    }

    /// <summary>Deletes a registration. Functions that run in it go on; others cannot name it any more.</summary>
    public Task DeleteAsync(ContainerId container, CancellationToken cancellation = default) => _service.CallAsync(
        options => _service.Containers.DeleteAsync(new DeleteContainerRequest { ContainerId = container.Value }, options), $"Deleting container {container}", cancellation);
}
