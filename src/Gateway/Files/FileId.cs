using System.Security.Cryptography;

namespace LlmPipeline;

/// <summary>Ids of files: random, and the only thing of a file that becomes part of a path or of a key.</summary>
internal static class FileId
{
    private const string Prefix = "file-";

    public static string New() => Prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <summary>Whether a text may be an id of a file.</summary>
    public static bool Is(string? text) =>
        text is { Length: 37 } && text.StartsWith(Prefix, StringComparison.Ordinal) && !text.AsSpan(Prefix.Length).ContainsAnyExcept("0123456789abcdef");
}
