using System.Buffers;
using System.IO.Hashing;
using System.Text;

namespace LlmPipeline;

/// <summary>Names of queues and jobs: which are allowed, and where they lie.</summary>
public static class Names
{
    /// <summary>The longest name, in bytes of UTF-8.</summary>
    public const int MaxBytes = 256;

    /// <summary>The highest row of a batch: a batch keeps two bits for each.</summary>
    public const int MaxRow = 100_000_000;

    private static readonly SearchValues<char> Plain = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/@ ");
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The partition of a job: a stable hash of its id, the same in every process and version.</summary>
    /// <param name="jobId">The job.</param>
    /// <param name="partitions">The queue's number of partitions.</param>
    public static int PartitionOf(string jobId, int partitions) =>
        partitions == 1 ? 0 : (int)(XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(jobId)) % (ulong)partitions);

    /// <summary>What is wrong with a name; null when it is fine.</summary>
    public static string? Fault(string? name) => name switch
    {
        null or "" => "is empty",
        // What nearly all are made of.
        _ when name.Length <= MaxBytes && !name.AsSpan().ContainsAnyExcept(Plain) => null,
        _ when name.AsSpan().IndexOfAny('{', '}') >= 0 => "holds { or }",
        _ when name.Any(char.IsControl) => "holds a control character",
        _ when !IsText(name) => "holds half of a surrogate pair",
        _ when Encoding.UTF8.GetByteCount(name) > MaxBytes => $"is longer than {MaxBytes} bytes",
        _ => null,
    };

    /// <summary>What is wrong with the name of a model, which is that of its queue; null when it is fine.</summary>
    public static string? ModelFault(string? name) => Fault(name) ?? (PrivateQueue.Is(name!) ? "has the form of a run's queue" : null);

    // Two names with different halves would become the same bytes.
    private static bool IsText(string name)
    {
        try
        {
            return Strict.GetByteCount(name) > 0;
        }
        catch (EncoderFallbackException)
        {
            return false;
        }
    }
}
