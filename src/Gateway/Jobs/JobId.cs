using System.Security.Cryptography;
using System.Text;

namespace LlmPipeline;

/// <summary>Names of jobs.</summary>
internal static class JobId
{
    private const string Prefix = "job_";

    public static string New() => Prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <summary>The job that is submitted under an idempotency key; each owner has its own.</summary>
    public static string Of(string idempotencyKey) => Prefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(idempotencyKey)).AsSpan(0, 16));

    public static bool Is(string id) =>
        id.Length == Prefix.Length + 32 && id.StartsWith(Prefix, StringComparison.Ordinal) && !id.AsSpan(Prefix.Length).ContainsAnyExcept("0123456789abcdef");

    /// <summary>What the queue and the results call it: with its owner, so that nobody comes upon it by its id alone.</summary>
    public static string Inner(string owner, string id) => $"g-{owner}-{id[Prefix.Length..]}";
}
