namespace LlmPipeline;

/// <summary>
/// The start of a batch with a model: until its first success at most five calls run at once, so that a wrong key, model or setting costs
/// few calls. Safe for threads.
/// </summary>
internal sealed class BatchTrials
{
    private const int MostCalls = FaultEvidence.RowsToClose;
    private const int MostBatches = 10_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Batch, string Model), Trial> _trials = [];
    private readonly Queue<(string Batch, string Model)> _order = new();

    /// <summary>Whether the batch has had a success with the model.</summary>
    public bool IsProven(string batch, string model)
    {
        lock (_lock)
            return _trials.TryGetValue((batch, model), out var trial) && trial.IsProven;
    }

    /// <summary>Whether the batch is known to have more rows than close a scope.</summary>
    public bool HasMoreRows(string batch, string model)
    {
        lock (_lock)
            return _trials.TryGetValue((batch, model), out var trial) && trial.LastRow > FaultEvidence.RowsToClose;
    }

    /// <summary>Waits until the row may be called; each one that may is ended by <see cref="Leave"/>.</summary>
    /// <returns>False when it may not within the wait.</returns>
    public async ValueTask<bool> EnterAsync(
        string batch, string model, int row, TimeSpan wait, TimeProvider time, CancellationToken cancellationToken)
    {
        TaskCompletionSource<bool> turn;
        lock (_lock)
        {
            var trial = TrialOf(batch, model);
            trial.LastRow = Math.Max(trial.LastRow, row);
            if (trial.IsProven || trial.Running < MostCalls)
            {
                trial.Running++;
                return true;
            }

            turn = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            trial.Waiting.Enqueue(turn);
        }

        try
        {
            return await turn.Task.WaitAsync(wait, time, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // A turn that came just then is given to the next one.
            if (!turn.TrySetResult(false) && await turn.Task.ConfigureAwait(false))
                Leave(batch, model, isSuccess: false);
            if (e is OperationCanceledException)
                throw;
            return false;
        }
    }

    /// <summary>The call is over.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="model">The model.</param>
    /// <param name="isSuccess">Whether it brought a completion.</param>
    public void Leave(string batch, string model, bool isSuccess)
    {
        lock (_lock)
        {
            var trial = TrialOf(batch, model);
            trial.Running = Math.Max(0, trial.Running - 1);
            trial.IsProven |= isSuccess;
            while ((trial.IsProven || trial.Running < MostCalls) && trial.Waiting.TryDequeue(out var turn))
            {
                if (turn.TrySetResult(true))
                    trial.Running++;
            }
        }
    }

    private Trial TrialOf(string batch, string model)
    {
        if (_trials.TryGetValue((batch, model), out var trial))
            return trial;
        _trials.Add((batch, model), trial = new Trial());
        _order.Enqueue((batch, model));
        // One that is in use goes to the end of the line.
        for (var n = _order.Count; n > 0 && _order.Count > MostBatches; n--)
        {
            var oldest = _order.Dequeue();
            if (_trials[oldest] is { Running: 0, Waiting.Count: 0 } && oldest != (batch, model))
                _trials.Remove(oldest);
            else
                _order.Enqueue(oldest);
        }

        return trial;
    }

    private sealed class Trial
    {
        public Queue<TaskCompletionSource<bool>> Waiting { get; } = new();

        public int Running { get; set; }

        public int LastRow { get; set; }

        public bool IsProven { get; set; }
    }
}
