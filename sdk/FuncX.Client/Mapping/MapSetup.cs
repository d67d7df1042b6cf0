using FuncX.Client.Json;
using FuncX.Client.Submission;

namespace FuncX.Client.Mapping;

/// <summary>What stays the same for a whole map.</summary>
internal sealed record MapSetup<TArg, TResult>(
    SubmitTarget Target, MapOptions Options, int BatchSize, int BatchBytes, ArgumentEncoder<TArg> Encoder, ResultDecoder<TResult> Decoder, TimeProvider Time);
