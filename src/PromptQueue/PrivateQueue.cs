using System.Globalization;
using System.IO.Hashing;
using System.Text;

namespace LlmPipeline;

/// <summary>
/// Names of private queues. A private queue holds the rows of one model of one batch, has one partition, and is claimed from by the run
/// of that batch only: it is
/// not in the list of queues that workers serve, and its <see cref="SchemaVersion"/> is one that earlier workers refuse.
/// </summary>
public static class PrivateQueue
{
    private const string Prefix = "run:";
    private const int HashLength = 16;

    /// <summary>
    /// The queue of a batch's rows of one model: <c>run:BATCH:HASH</c>, the hash being XXH64 of the model in hexadecimal, because a
    /// model's name may be as long as a queue's.
    /// </summary>
    public static string Name(string batch, string model) =>
        string.Create(CultureInfo.InvariantCulture, $"{Prefix}{batch}:{XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(model)):x16}");

    /// <summary>Whether a queue is one.</summary>
    public static bool Is(string queue) => BatchOf(queue) is not null;

    /// <summary>The batch of a private queue; null for any other queue.</summary>
    public static string? BatchOf(string queue)
    {
        ArgumentNullException.ThrowIfNull(queue);
        var colon = queue.Length - HashLength - 1;
        return colon > Prefix.Length && queue[colon] == ':' && queue.StartsWith(Prefix, StringComparison.Ordinal)
            && queue.AsSpan(colon + 1).IndexOfAnyExcept(Hex) < 0
            ? queue[Prefix.Length..colon]
            : null;
    }

    private static readonly System.Buffers.SearchValues<char> Hex = System.Buffers.SearchValues.Create("0123456789abcdef");
}
