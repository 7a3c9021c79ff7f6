using System.Security.Cryptography;
using System.Text;

namespace LlmPipeline;

/// <summary>A key as the settings name it.</summary>
/// <param name="Hash">The SHA-256 of its UTF-8 bytes.</param>
internal sealed record ApiKey(byte[] Hash)
{
    private const string HashPrefix = "sha256:";

    /// <summary>The owner: a name that does not tell the key's hash, for keys of Redis and folders.</summary>
    public string Owner { get; } = Convert.ToHexStringLower(SHA256.HashData([.. "llmpipe owner "u8, .. Hash]))[..24];

    /// <summary>What is wrong with a key of the settings, without telling it; null for nothing.</summary>
    public static string? Fault(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return "empty";
        if (text.AsSpan().ContainsAnyExceptInRange('!', '~'))
            return "a key holds only printable ASCII without blanks, as it comes in a header";
        return text.StartsWith(HashPrefix, StringComparison.Ordinal) && (text.Length != HashPrefix.Length + 64 || text.AsSpan(HashPrefix.Length).ContainsAnyExcept("0123456789abcdefABCDEF"))
            ? "after sha256: come 64 hex digits"
            : null;
    }

    /// <summary>Reads a key without a fault.</summary>
    public static ApiKey Parse(string text) => new(
        text.StartsWith(HashPrefix, StringComparison.Ordinal) ? Convert.FromHexString(text.AsSpan(HashPrefix.Length)) : SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
