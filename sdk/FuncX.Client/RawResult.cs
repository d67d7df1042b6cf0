using FuncX.Wire;

namespace FuncX.Client;

/// <summary>A value as it came, not decoded. Asking for this type instead of one of your own costs nothing and keeps the bytes of its whole message alive.</summary>
/// <param name="ContentType">How the bytes are encoded.</param>
/// <param name="Bytes">The value.</param>
public readonly record struct RawResult(ContentType ContentType, ReadOnlyMemory<byte> Bytes);
