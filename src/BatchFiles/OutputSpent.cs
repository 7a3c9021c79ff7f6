using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>
/// What a batch has cost so far, kept in a small file beside its output (<c>OUTPUT.spent</c>), so that a run that goes on knows it. The file is replaced as a whole.
/// </summary>
/// <param name="paths">The files of the output, which the caller has locked.</param>
/// <param name="batchId">The batch; another's record counts for nothing.</param>
public sealed class OutputSpent(OutputPaths paths, string batchId)
{
    private long _written = -1;

    /// <summary>What was written down, in billionths of the price table's currency; 0 when nothing was.</summary>
    /// <exception cref="OutputException">The file cannot be read, or is none of ours.</exception>
    public long Read()
    {
        try
        {
            var record = File.Exists(paths.Spent) ? JsonSerializer.Deserialize(File.ReadAllBytes(paths.Spent), SpentJson.Default.SpentRecord) : null;
            return record?.Batch == batchId ? _written = Math.Max(0, record.SpentNanos) : 0;
        }
        catch (JsonException)
        {
            throw OutputException.Refuse($"{paths.Spent} is not the record of costs that a run keeps there; move it away");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Unreadable(paths.Spent, e);
        }
    }

    /// <summary>Removes the record: the batch is done.</summary>
    /// <exception cref="OutputException">It cannot be removed.</exception>
    public void Delete()
    {
        try
        {
            File.Delete(paths.Spent);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Broke(paths.Spent, e);
        }
    }

    /// <summary>Writes it down, if it has changed.</summary>
    /// <exception cref="OutputException">The disk is full or broken.</exception>
    public void Write(long nanos)
    {
        if (nanos == _written)
            return;
        var whole = OutputPaths.SortingOf(paths.Spent);
        try
        {
            File.WriteAllBytes(whole, JsonSerializer.SerializeToUtf8Bytes(new SpentRecord(batchId, nanos), SpentJson.Default.SpentRecord));
            File.Move(whole, paths.Spent, overwrite: true);
            _written = nanos;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw OutputException.Broke(paths.Spent, e);
        }
    }
}

/// <summary>The file's content.</summary>
internal sealed record SpentRecord(string Batch, long SpentNanos);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(SpentRecord))]
internal sealed partial class SpentJson : JsonSerializerContext;
