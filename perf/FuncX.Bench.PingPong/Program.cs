using System.Diagnostics;
using System.Globalization;
using FuncX.Mpi;
using Microsoft.Win32.SafeHandles;

// funcx-mpi-pingpong plain|matched BATCHES: what perf/peers/mpi_pingpong.c does, through the binding, line by line the same.
int[] sizes = [8, 64, 512, 1024, 8192, 65_536, 524_288, 4_194_304];
var matched = args is ["matched", ..];
var batches = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 20;

var mpi = MpiRuntime.Initialize();
var world = mpi.World;
if (world.Size != 2)
    world.Abort(2);
var (rank, other) = (world.Rank, 1 - world.Rank);
using var sent = mpi.Buffers.Rent(sizes[^1]);
using var received = mpi.Buffers.Rent(sizes[^1]);
// Memory that nobody has written to is one page of zeros many times, which is copied faster than any message.
sent.Span.Fill(1);
received.Span.Fill(2);
// mpirun gives a rank a terminal, and Console would begin with what it sends to terminals.
using var output = new StreamWriter(new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write));
for (var s = 0; s < sizes.Length; s++)
{
    var bytes = sizes[s];
    var rounds = bytes switch { <= 1024 => 500, <= 8192 => 100, <= 65_536 => 30, <= 524_288 => 8, _ => 2 };
    var best = 0.0;
    for (var batch = -1; batch < batches; batch++)
    {
        world.Barrier();
        var begun = Stopwatch.GetTimestamp();
        for (var round = 0; round < rounds; round++)
            Exchange(bytes, (byte)(round + s));
        var time = Stopwatch.GetElapsedTime(begun).TotalMicroseconds / rounds / 2;
        if (batch == 0 || (batch > 0 && time < best))
            best = time;
    }

    if (rank == 0)
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{bytes} {best:0.0000}"));
}

mpi.FinalizeMpi();
return 0;

void Exchange(int bytes, byte mark)
{
    var body = sent.Memory[..bytes];
    var memory = received.Span[..bytes];
    MpiSendId send = default;
    for (var half = 0; half < 2; half++)
    {
        if (half == rank)
        {
            sent.Span[0] = sent.Span[bytes - 1] = mark;
            if (!matched)
                world.Send(body.Span, other, 1);
            else if (!world.TryStartSend(body, other, 1, out send))
                world.Abort(1);
            continue;
        }

        if (matched)
        {
            MpiMessage message;
            while (!world.TryProbe(other, 1, out message))
            {
            }

            if (message.Bytes != bytes)
                world.Abort(1);
            world.Receive(message, memory);
        }
        else
        {
            world.Receive(memory, other, 1);
        }

        if (memory[0] != mark || memory[bytes - 1] != mark)
            world.Abort(1);
    }

    while (matched && !mpi.Sends.Test(send))
    {
    }
}
