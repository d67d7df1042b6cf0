using System.Security.Cryptography;
using FuncX.Manager.Pools;
using FuncX.Manager.World.Simulation;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

public sealed class SimulatedFunctionsTests
{
    private static readonly byte[] s_body = [1, 2, 3];
    private static readonly FunctionDigest s_digest = FunctionDigest.Read(SHA256.HashData(s_body));

    private readonly List<(FunctionDigest Digest, long Bytes)> _wanted = [];
    private readonly List<string> _reports = [];
    private readonly SimulatedFunctions _functions;

    public SimulatedFunctionsTests() => _functions = new SimulatedFunctions((digest, bytes) => _wanted.Add((digest, bytes)), _reports.Add);

    [Fact]
    public void A_small_function_is_checked_and_a_wrong_one_brought_once()
    {
        _functions.OnNotice(new FunctionNotice(s_digest, 0));
        _functions.OnFunction(Frame(s_body));
        _wanted.ShouldBeEmpty();
        for (var manager = 0; manager < 2; manager++)
        {
            _functions.OnNotice(new FunctionNotice(s_digest, 0));
            _functions.OnFunction(Frame([1, 2, 4]));
        }

        _wanted.ShouldBe([(s_digest, 3L)]);
        _reports.Count.ShouldBe(2);
        _reports[0].ShouldStartWith($"function {s_digest} came with SHA-256 ");
    }

    [Fact]
    public void A_large_one_is_brought_once_for_all()
    {
        for (var manager = 0; manager < 2; manager++)
            _functions.OnNotice(new FunctionNotice(s_digest, 5_000_000));
        _wanted.ShouldBe([(s_digest, 5_000_000L)]);
        _reports.ShouldBeEmpty();
    }

    private static byte[] Frame(byte[] body)
    {
        var frame = new byte[FrameHeader.Size + body.Length];
        new FrameHeader { Kind = FrameKind.Function, BodyLength = body.Length }.Write(frame);
        body.CopyTo(frame, FrameHeader.Size);
        return frame;
    }
}
