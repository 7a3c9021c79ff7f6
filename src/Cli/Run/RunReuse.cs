using System.Text;

namespace LlmPipeline;

/// <summary>
/// What an output that stands there holds for rows of this run, though it is another batch's: the answers of rows that ask the same of the
/// same endpoint. They are taken where the user asks for it, or where nothing that is there would be lost.
/// </summary>
internal sealed class RunReuse
{
    private readonly RunPlan _plan;
    // By the hash of the row's key, because there may be millions.
    private readonly Dictionary<UInt128, OutputEntry> _answers;
    private readonly IReadOnlyCollection<string> _shapes;

    private RunReuse(RunPlan plan, Dictionary<UInt128, OutputEntry> answers, IReadOnlyCollection<string> shapes, IReadOnlyCollection<string> batches)
    {
        _plan = plan;
        _answers = answers;
        _shapes = shapes;
        Batches = batches;
    }

    /// <summary>The batches whose answers are there.</summary>
    public IReadOnlyCollection<string> Batches { get; }

    /// <summary>Whether the answers are taken.</summary>
    public bool IsWanted { get; private set; }

    /// <summary>What differs between this run and the one that has written the output.</summary>
    public string Difference { get; private set; } = "";

    /// <summary>Looks at the output; null where there is none, or one of this batch.</summary>
    public static async Task<RunReuse?> FindAsync(RunPlan plan, OutputPaths paths, OutputBatch batch, CancellationToken cancellationToken)
    {
        var answers = new Dictionary<UInt128, OutputEntry>();
        var (shapes, batches) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        var (lines, unknown) = (0, 0);
        foreach (var (path, source) in new[] { (paths.Results, OutputSource.Results), (paths.Errors, OutputSource.Errors), (paths.Partial, OutputSource.Partial) })
        {
            using var file = Open(path);
            if (file is null)
                return null;
            for (var isFirst = true; file.Row is not null; file.MoveNext(), isFirst = false)
            {
                OutputLineHead.TryRead(file.Line.Span, out var head);
                var id = Encoding.UTF8.GetString(head.Batch);
                // In a checkpoint the lines of this batch come behind those that answers were taken from.
                if (isFirst && batch.Owns(id) && source == OutputSource.Partial)
                    break;
                if (isFirst && batch.Owns(id))
                    return null;
                lines++;
                if (!batch.Owns(id))
                    batches.Add(id);
                if (head.Request.IsEmpty)
                    unknown++;
                else if ((plan.IsSimulated || !(head.IsSimulated || id.StartsWith("sim-", StringComparison.Ordinal))) && !batch.Owns(id) && (head.IsCompletion || !plan.Options.RetryFailed))
                {
                    var request = Encoding.UTF8.GetString(head.Request);
                    shapes.Add(RequestKey.ShapeOf(request));
                    answers[RequestKey.Hash(request)] = new OutputEntry(file.Offset, file.Line.Length, source, head.IsCompletion, IsEarlier: true);
                }
            }
        }

        if (batches.Count == 0)
            return null;
        var reuse = new RunReuse(plan, answers, shapes, batches);
        await reuse.CompareAsync(lines, unknown, cancellationToken).ConfigureAwait(false);
        return reuse;
    }

    /// <summary>Takes the answers.</summary>
    /// <returns>How many rows have got one.</returns>
    public async Task<int> CopyAsync(OutputFile output, CancellationToken cancellationToken)
    {
        var (key, copied) = (new RequestKey(_plan), 0);
        await foreach (var job in _plan.JobsAsync(output.BatchId, row => !output.IsDone(row), cancellationToken).ConfigureAwait(false))
        {
            if (!_answers.TryGetValue(RequestKey.Hash(key.Of(job)), out var entry))
                continue;
            output.Copy(entry, job.Id, job.CustomId!);
            copied++;
            if (output.Unflushed > OutputFile.ManyBytes)
                await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        return copied;
    }

    private async Task CompareAsync(int lines, int unknown, CancellationToken cancellationToken)
    {
        var key = new RequestKey(_plan);
        var (shapes, found) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<UInt128>());
        await foreach (var job in _plan.JobsAsync("", _ => true, cancellationToken).ConfigureAwait(false))
        {
            var request = key.Of(job);
            shapes.Add(RequestKey.ShapeOf(request));
            if (RequestKey.Hash(request) is var hash && _answers.ContainsKey(hash))
                found.Add(hash);
        }

        IsWanted = found.Count > 0 && (_plan.Options.Reuse || (unknown == 0 && found.Count == _answers.Count));
        bool HasSame(int part) => _shapes.Select(shape => shape.Split('.')[part]).Intersect(shapes.Select(shape => shape.Split('.')[part])).Any();
        Difference = unknown == lines ? "what differs is not known, as an earlier version has written it"
            : _answers.Count == 0 ? "its answers are a simulator's, or failed rows"
            : !HasSame(1) ? "it was made at another endpoint"
            : !HasSame(0) ? "the model, the prompt function, its template or schema, --system or --set differs"
            : $"{RunConsole.Text(_answers.Count - found.Count)} of its {RunConsole.Text(_answers.Count)} different requests are no longer asked;"
                + $" --reuse takes the answers of the other {RunConsole.Text(found.Count)}";
    }

    private static OutputLines? Open(string path)
    {
        try
        {
            return new OutputLines(path);
        }
        catch (OutputException)
        {
            // Another run holds it, or it cannot be read: whoever opens the output says so.
            return null;
        }
    }
}
