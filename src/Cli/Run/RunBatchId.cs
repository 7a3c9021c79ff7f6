using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// Names a batch by the hash of its content and of everything that shapes the answers, so that the same file again is the same batch.
/// Concurrency, limits and paths are not in it.
/// </summary>
internal static class RunBatchId
{
    /// <summary>
    /// Answers of a provider: <c>b-</c> and 32 hex digits. Of a fleet the endpoint is <see cref="RunEndpoints.FleetName"/>, whatever the submitting process knows: workers
    /// have the deployments.
    /// </summary>
    public static string Real(RunShape shape, string endpoint) => "b-" + Hash(shape, endpoint);

    /// <summary>Answers of the simulator in the process: <c>sim-</c> and 32 hex digits. They are never taken for a provider's.</summary>
    public static string Simulated(RunShape shape) => "sim-" + Hash(shape, "simulated");

    /// <summary>A deliberate re-run of the same rows.</summary>
    public static string Again(string id) => $"{id}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";

    private static string Hash(RunShape shape, string endpoint)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add("llmpipe batch 1");
        Add(shape.ContentHash);
        Add(shape.Model ?? "");
        Add(shape.PromptSha ?? "");
        Add(shape.System ?? "");
        foreach (var (name, value) in shape.Settings.OrderBy(s => s.Key, StringComparer.Ordinal))
        {
            Add(name);
            Add(value.GetRawText());
        }

        Add(endpoint);
        if (shape.Reading is not null)
            Add(shape.Reading);
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..32];

        void Add(string part)
        {
            var bytes = Encoding.UTF8.GetBytes(part);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }
    }
}

/// <summary>What shapes the answers of a run, beside the endpoint.</summary>
internal sealed record RunShape
{
    public required string ContentHash { get; init; }

    /// <summary>The model of rows and plain text; null for request lines, which name their own.</summary>
    public string? Model { get; init; }

    public string? PromptSha { get; init; }

    /// <summary>How the file is read, where the user said so; null for what the file shows.</summary>
    public string? Reading { get; init; }

    public string? System { get; init; }

    public required IReadOnlyDictionary<string, JsonElement> Settings { get; init; }
}
