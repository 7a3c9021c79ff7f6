using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Takes jobs for their owners, and tells how they are.</summary>
internal sealed class JobDesk(JobRecords records, GatewayParts parts)
{
    /// <summary>Takes jobs. One whose idempotency key is known is the job that is there.</summary>
    /// <returns>The jobs, in their order; of those that were known somebody may want to know how they are.</returns>
    /// <exception cref="ApiException">An idempotency key belongs to another job, or a model is refused; none was taken.</exception>
    /// <exception cref="QueueFullException">A queue is full; none was taken, or what was is cancelled.</exception>
    public async Task<IReadOnlyList<TakenJob>> TakeAsync(string owner, IReadOnlyList<JobRequest> requests)
    {
        var known = await Task.WhenAll(requests.Select(request => KnownAsync(owner, request)));
        foreach (var model in requests.Where((_, n) => known[n] is null).Select(request => request.Model).Distinct())
            await parts.Models.CheckAsync(model);
        var created = (await parts.Redis.Clock.NowAsync()).ToUnixTimeMilliseconds();
        var taken = requests.Select((request, n) => new Taken(request, IdOf(request), known[n] ?? RecordOf(request, created), known[n] is not null)).ToList();
        await Task.WhenAll(requests.Select(request => request.Function).OfType<PromptFunction>().DistinctBy(function => function.Sha)
            .Select(function => parts.Queue.SavePromptAsync(function.Sha, function.Name, function.Files)));
        var left = taken.Where(job => !job.Record.IsEnqueued).ToList();
        // A key's record comes first, so that whoever comes second finds it; without a key nobody looks for a job before its id is told.
        await Task.WhenAll(left.Where(job => job.Request.IdempotencyKey is not null && !job.IsKnown).Select(job => ClaimAsync(owner, job)));
        var saving = Task.WhenAll(left.Where(job => job.Request.IdempotencyKey is null).Select(job => SaveAsync(owner, job, job.Record)));
        await EnqueueAsync(owner, left, saving);
        await Task.WhenAll(left.Where(job => job.Request.IdempotencyKey is not null).Select(job => SaveAsync(owner, job, job.Record with { IsEnqueued = true })));
        return [.. taken.Select(job => new TakenJob(job.Id, job.Record, job.IsKnown))];
    }

    /// <summary>Finds a job; null when this owner has none of that id.</summary>
    public Task<JobRecord?> FindAsync(string owner, string id) => records.FindAsync(owner, id);

    /// <summary>How a job is now; null when neither the queue nor the results know of it any more.</summary>
    public async Task<JobView?> ViewAsync(
        string owner, string id, JobRecord record, CountedBytes bytes, CancellationToken cancellationToken)
    {
        var inner = JobId.Inner(owner, id);
        if (await ResultAsync(inner, bytes, cancellationToken) is { } result)
            return JobView.OfEnded(id, record, result);
        if (await WaitingAsync(inner, record) is { } status)
            return new JobView(id, record, status, null);
        // It may have ended between the two looks.
        return await ResultAsync(inner, bytes, cancellationToken) is { } ended ? JobView.OfEnded(id, record, ended) : null;
    }

    /// <summary>Its status alone, for which nothing large is fetched; null as above.</summary>
    public async Task<string?> StatusAsync(string owner, string id, JobRecord record)
    {
        var inner = JobId.Inner(owner, id);
        return await EndedAsync(inner) ?? await WaitingAsync(inner, record) ?? await EndedAsync(inner);
    }

    /// <summary>Waits for the end of a job.</summary>
    public async Task<JobView> WaitAsync(
        string owner, string id, JobRecord record, CountedBytes bytes, CancellationToken cancellationToken) =>
        JobView.OfEnded(
            id, record, await parts.Results.WaitAsync(JobId.Inner(owner, id), bytes.AnswerArrived(cancellationToken), cancellationToken));

    /// <summary>Follows a job.</summary>
    public IAsyncEnumerable<StreamedPart> FollowAsync(string owner, string id, CountedBytes bytes, CancellationToken cancellationToken) =>
        parts.Results.StreamAsync(JobId.Inner(owner, id), () => Task.CompletedTask, bytes.OfStream(cancellationToken), cancellationToken);

    /// <summary>Asks a job to stop; workers end it.</summary>
    /// <returns>False: it has ended.</returns>
    public async Task<bool> CancelAsync(string owner, string id, JobRecord record) => (await parts.Queue.CancelAsync(record.Model, [JobId.Inner(owner, id)]))[0];

    /// <summary>Removes a job that has ended, with its result.</summary>
    /// <returns>False: it has not ended.</returns>
    public async Task<bool> ForgetAsync(string owner, string id, JobRecord record)
    {
        if (!await new BatchForgetter(parts.Queue, parts.Results).ForgetAsync(JobId.Inner(owner, id), [record.Model]))
            return false;
        await records.RemoveAsync(owner, id);
        return true;
    }

    private async Task<JobResult?> ResultAsync(string inner, CountedBytes bytes, CancellationToken cancellationToken)
    {
        if (await parts.Results.FindSizeAsync(inner) is not { } size)
            return null;
        await bytes.TakeAnswerAsync(size, cancellationToken);
        return await parts.Results.GetAsync(inner);
    }

    private async Task<string?> EndedAsync(string inner) =>
        (await parts.Results.StatusesAsync([inner]))[0] is { } status ? JobView.StatusOf(status) : null;

    private async Task<string?> WaitingAsync(string inner, JobRecord record) => await parts.Queue.StateAsync(record.Model, inner) switch
    {
        null or JobState.Dead => null,
        JobState.Running => JobView.Running,
        _ => JobView.Queued,
    };

    private static string IdOf(JobRequest request) => request.IdempotencyKey is { } key ? JobId.Of(key) : JobId.New();

    private static JobRecord RecordOf(JobRequest request, long created) => new()
    {
        Model = request.Model,
        Created = created,
        Metadata = request.Metadata,
        Asked = request.IdempotencyKey is null ? null : request.Asked,
    };

    private async Task<JobRecord?> KnownAsync(string owner, JobRequest request)
    {
        if (request.IdempotencyKey is null || await FindAsync(owner, IdOf(request)) is not { } record)
            return null;
        return record.Asked == request.Asked ? record : throw OtherJob(request).Thrown();
    }

    private async Task ClaimAsync(string owner, Taken job)
    {
        // Somebody may have come first since the look.
        if (!await records.SaveAsync(owner, job.Id, job.Record, job.Ahead, When.NotExists) && await FindAsync(owner, job.Id) is { } other && other.Asked != job.Request.Asked)
            throw OtherJob(job.Request).Thrown();
    }

    private Task<bool> SaveAsync(string owner, Taken job, JobRecord record) => records.SaveAsync(owner, job.Id, record, job.Ahead);

    private async Task EnqueueAsync(string owner, IReadOnlyList<Taken> jobs, Task saving)
    {
        if (jobs.Count == 0)
            return;
        try
        {
            var outcomes = await parts.Queue.EnqueueAsync([.. jobs.Select(job => JobOf(owner, job))]);
            await saving;
            if (outcomes.Contains(EnqueueOutcome.Full))
                throw new QueueFullException(jobs[outcomes.ToList().IndexOf(EnqueueOutcome.Full)].Request.Model);
        }
        catch (Exception e) when (e is ArgumentException or QueueFullException or QueueLimitException)
        {
            await saving;
            foreach (var queue in jobs.Where(job => !job.IsKnown).GroupBy(job => job.Request.Model))
                await parts.Queue.CancelAsync(queue.Key, [.. queue.Select(job => JobId.Inner(owner, job.Id))]);
            await Task.WhenAll(jobs.Where(job => !job.IsKnown).Select(job => records.RemoveAsync(owner, job.Id)));
            if (e is not ArgumentException)
                throw;
            throw ApiError.TooLarge($"A job is larger than the queue takes: {parts.Queue.Options.MaxJobBytes} bytes with all that goes around it.").Thrown(e);
        }
    }

    private Job JobOf(string owner, Taken job) => new()
    {
        Id = JobId.Inner(owner, job.Id),
        Queue = job.Request.Model,
        Work = job.Request.Work,
        Lane = job.Request.Lane,
        CustomId = job.Id,
        Delay = job.Request.Delay,
        Deadline = job.Request.Deadline is { } deadline ? parts.Time.GetUtcNow() + deadline : null,
        MaxAttempts = job.Request.MaxAttempts ?? parts.MaxAttempts,
        AttemptTimeout = parts.AttemptTimeout,
        Metadata = job.Request.Metadata,
    };

    private static ApiError OtherJob(JobRequest request) => ApiError.Conflict(
        "This idempotency key was used for another job; the same key is for the same request, byte for byte.", request.KeyName);

    private sealed record Taken(JobRequest Request, string Id, JobRecord Record, bool IsKnown)
    {
        public TimeSpan Ahead => Request.Deadline ?? Request.Delay;
    }
}
