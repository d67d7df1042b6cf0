namespace FuncX.Service.Storage;

/// <summary>What a result section leaves out because it is the same everywhere, or has beside the usual.</summary>
[Flags]
public enum ResultFlags : byte
{
    None = 0,
    Contiguous = 1,
    AllValues = 2,
    SameContentType = 4,
    SameLength = 8,
    AllFirstAttempts = 16,
    Output = 32,
    Codes = 64,
    Large = 128,
}
