using FuncX.Wire;

namespace FuncX.Endpoint.Managers;

/// <summary>
/// The managers of one connection by the number that frames carry as their destination: 0 alone for a manager that dialled itself, from 1 for those behind a leader. On the loop only.
/// </summary>
internal sealed class ConnectionMembers
{
    /// <summary>The largest number behind one leader.</summary>
    public const uint Largest = 1 << 20;

    private ManagerPeer?[] _peers = new ManagerPeer?[1];

    /// <summary>Those that are connected, in the order of their numbers.</summary>
    public IEnumerable<ManagerPeer> All => _peers.OfType<ManagerPeer>();

    public ManagerPeer? Find(uint destination) => destination < (uint)_peers.Length ? _peers[destination] : null;

    /// <exception cref="FrameException">A leader has no such number.</exception>
    public void Set(uint destination, ManagerPeer peer)
    {
        if (destination > Largest)
            throw new FrameException($"destination {destination} of a manager; at most {Largest} stand behind one leader");
        if (destination >= (uint)_peers.Length)
            Array.Resize(ref _peers, Math.Max((int)destination + 1, _peers.Length * 2));
        _peers[destination] = peer;
    }

    public void Remove(uint destination) => _peers[destination] = null;
}
