using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Batches for .NET programs: submits rows, and reads their results. Workers (<c>llmpipe work</c>, or a host with
/// <c>AddLlmWorker</c>) answer them. A Redis that is away is waited for. Safe for many threads.
/// </summary>
/// <param name="queue">The queue.</param>
/// <param name="results">The results.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Gets a line when Redis is away; null for none.</param>
public sealed class PromptBatches(PromptQueue queue, ResultStore results, TimeProvider time, ILogger<PromptBatches>? logger = null)
{
    private const int DigitsOfId = 32;

    /// <summary>Submits prompts, each as the one user message of a chat completion.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">The prompts; row 1 is the first.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="cancellationToken">Ends it; rows that are enqueued by then stay, and the same call again adds the others.</param>
    /// <returns>The batch; all its rows are on the queue.</returns>
    /// <inheritdoc cref="SubmitAsync(IAsyncEnumerable{BatchItem}, SubmitOptions, CancellationToken)" path="/exception"/>
    public Task<SubmittedBatch> SubmitAsync(
        string model, IEnumerable<string> prompts, SubmitOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        return SubmitAsync(prompts.Select(prompt => BatchItem.OfPrompt(model, prompt)), options, cancellationToken);
    }

    /// <summary>Submits rows for a prompt function, which workers render: its files are saved with the batch.</summary>
    /// <param name="model">The model.</param>
    /// <param name="function">The function.</param>
    /// <param name="rows">The values of its variables, a row each.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="cancellationToken">As for prompts.</param>
    /// <returns>The batch; all its rows are on the queue.</returns>
    /// <inheritdoc cref="SubmitAsync(IAsyncEnumerable{BatchItem}, SubmitOptions, CancellationToken)" path="/exception"/>
    public async Task<SubmittedBatch> SubmitAsync(
        string model, PromptFiles function, IEnumerable<IReadOnlyDictionary<string, string>> rows, SubmitOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(rows);
        await RedisRetry.UntilAnsweredAsync(
            () => RedisRetry.DoneAsync(queue.SavePromptAsync(function.Sha, function.Name, function.Files)),
            time, logger, cancellationToken).ConfigureAwait(false);
        var requests = rows.Select(row => new BatchItem(
            model, new PromptWork { Function = function.Name, Sha = function.Sha, Variables = row }));
        return await SubmitAsync(requests, options, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Submits requests.</summary>
    /// <param name="requests">The rows.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="cancellationToken">As for prompts.</param>
    /// <returns>The batch; all its rows are on the queue.</returns>
    /// <inheritdoc cref="SubmitAsync(IAsyncEnumerable{BatchItem}, SubmitOptions, CancellationToken)" path="/exception"/>
    public Task<SubmittedBatch> SubmitAsync(
        IEnumerable<BatchItem> requests, SubmitOptions? options = null, CancellationToken cancellationToken = default) =>
        SubmitAsync(requests.ToAsyncEnumerable(), options, cancellationToken);

    /// <summary>
    /// Submits a stream of requests of any length. It is read to its end, into a temporary file, before the first row is enqueued.
    /// </summary>
    /// <param name="requests">The rows.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <param name="cancellationToken">As for prompts.</param>
    /// <returns>The batch; all its rows are on the queue.</returns>
    /// <exception cref="ArgumentException">There is no row, or a name is not allowed; nothing is enqueued.</exception>
    /// <exception cref="JobTooLargeException">A row is larger than the queue takes; rows before it are enqueued.</exception>
    /// <exception cref="BatchFullException">A queue is full, and <see cref="SubmitOptions.WhenFull"/> says so.</exception>
    public async Task<SubmittedBatch> SubmitAsync(
        IAsyncEnumerable<BatchItem> requests, SubmitOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        options ??= new SubmitOptions();
        await using var rows = await RequestSpool.FillAsync(requests, cancellationToken).ConfigureAwait(false);
        if (rows.Rows == 0)
            throw new ArgumentException("The batch has no rows.", nameof(requests));
        var id = options.Id ?? "b-" + rows.Hash[..DigitsOfId];
        if (Names.Fault(id) is { } fault)
            throw new ArgumentException($"The id of the batch {fault}.", nameof(options));
        var info = new BatchInfo { Id = id, Name = options.Name, Rows = rows.Rows, Queues = [.. rows.Models], Models = [.. rows.Models] };
        var submitter = new BatchSubmitter(queue, results, time, logger) { WhenFull = options.WhenFull, RerunErrors = options.RetryFailed };
        await submitter.SubmitAsync(
            info, rows.ReadAsync(cancellationToken).Select((request, n) => JobOf(id, n + 1, request, options)), cancellationToken)
            .ConfigureAwait(false);
        return await FindAsync(id, cancellationToken).ConfigureAwait(false) ?? Of(info);
    }

    /// <summary>A batch that was submitted, by whatever program; null when there is none of that id, or no longer.</summary>
    public async Task<SubmittedBatch?> FindAsync(string id, CancellationToken cancellationToken = default) =>
        await RedisRetry.UntilAnsweredAsync(() => queue.Batches.FindAsync(id), time, logger, cancellationToken).ConfigureAwait(false) is { } info
            ? Of(info)
            : null;

    /// <summary>Asks a single prompt, before batches, and waits for the answer.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompt">The text, as it is.</param>
    /// <param name="timeout">How long to wait at most; then the prompt expires. Null for no limit.</param>
    /// <param name="cancellationToken">Ends the wait with an exception.</param>
    /// <returns>The result, which may be an error.</returns>
    /// <exception cref="TimeoutException">There was no result in time.</exception>
    public async Task<JobResult> AskAsync(
        string model, string prompt, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var options = new JobOptions { Lane = Lane.High, Deadline = timeout is { } longest ? time.GetUtcNow() + longest : null };
        var id = await queue.EnqueueAsync(model, prompt, options, cancellationToken).ConfigureAwait(false);
        return timeout is { } limit
            ? await results.WaitAsync(id, limit, cancellationToken).ConfigureAwait(false)
            : await results.WaitAsync(id, cancellationToken).ConfigureAwait(false);
    }

    private SubmittedBatch Of(BatchInfo info) => new(info, queue, () => new BatchReader(queue, results, info, time, logger));

    private static Job JobOf(string batch, int row, BatchItem request, SubmitOptions options) => new()
    {
        Id = RowId.Of(batch, row),
        Queue = request.Model,
        Work = request.Work,
        Batch = batch,
        Row = row,
        CustomId = request.CustomId,
        Lane = options.Lane,
        Deadline = options.Deadline,
        MaxAttempts = options.MaxAttempts,
        AttemptTimeout = options.AttemptTimeout,
        ResultLife = options.ResultLife,
    };
}
