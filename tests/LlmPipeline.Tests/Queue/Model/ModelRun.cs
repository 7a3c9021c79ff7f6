using StackExchange.Redis;
using Xunit.Sdk;

namespace LlmPipeline;

/// <summary>Does the steps of one case to a queue and to the model, and compares the answers and everything that lies in the store after each.</summary>
internal sealed partial class ModelRun
{
    /// <summary>Of all leases.</summary>
    public const long LeaseMilliseconds = 2 * 60 * 60 * 1000;

    private const int Partitions = 2;
    private const int MaxWaiting = 10;
    private const int MaxDead = 4;

    // Well in the past, and after what was put there before.
    private const long Past = 1_000_000;
    private readonly TestQueue _queue;
    private readonly string[] _batches;
    private readonly Job[] _jobs;
    private readonly List<ClaimedJob> _claims = [];
    private readonly ModelPartition[] _model;
    private bool _created;

    private ModelRun(TestQueue queue)
    {
        _queue = queue;
        _batches = [queue.Batch + "a", queue.Batch + "b"];
        _jobs =
        [
            .. _batches.SelectMany(batch => Enumerable.Range(1, 4).Select(row => queue.Single($"{batch}.{row}") with { Batch = batch, Row = row })),
            .. Enumerable.Range(1, 3).Select(n => queue.Single($"single-{n}")),
        ];
        _model = [.. queue.Partitions.Select(_ => new ModelPartition(MaxWaiting / Partitions, MaxDead / Partitions))];
        foreach (var partition in _model)
        {
            foreach (var batch in _batches)
                partition.Batch(batch);
        }
    }

    /// <summary>Does <paramref name="steps"/> on a queue of its own; answers what was not as the model says, or null.</summary>
    public static async Task<string?> FaultAsync(Store store, QueueStep[] steps)
    {
        var queue = await TestQueue.CreateAsync(store, options =>
        {
            options.Partitions = Partitions;
            options.MaxWaiting = MaxWaiting;
            options.MaxDead = MaxDead;
            // Nothing happens by itself: time is a step.
            options.Lease = TimeSpan.FromMilliseconds(LeaseMilliseconds);
            options.WorkerTimeout = TimeSpan.FromDays(1);
        });
        var run = new ModelRun(queue);
        await using var listening = await WakeUps.ListenAsync(queue.Redis, queue.Partitions, ear: ModelPartition.Ear, handed: run.Hear);
        foreach (var batch in run._batches)
            await queue.Queue.Batches.SaveAsync(new BatchInfo { Id = batch, Queues = [queue.Name], Created = TimeProvider.System.GetUtcNow() });
        for (var n = 0; n < steps.Length; n++)
        {
            try
            {
                await run.StepAsync(steps[n]);
            }
            catch (Exception e) when (e is XunitException or RedisException or TimeoutException)
            {
                return $"step {n + 1}, {steps[n]}: {e.Message}";
            }
        }

        var findings = (await new QueueDoctor(queue.Redis, queue.Options, TimeProvider.System).ExamineAsync(queue.Name, repair: false)).Findings;
        await run.ClearAsync();
        if (run._heard.Reader.TryRead(out var more))
            return $"heard of {more.Job.JobId}, which was not given";
        return findings.Count == 0 ? null : $"the doctor finds: {string.Join(", ", findings)}";
    }

    private async Task StepAsync(QueueStep step)
    {
        var (model, store) = await ActAsync(step);
        Assert.True(model == store, $"the model answers '{model}', the store '{store}'");
        for (var p = 0; p < Partitions; p++)
        {
            var (expected, found) = (_model[p].ToText(), await QueueSnapshot.ReadAsync(_queue.Redis, _queue.Partitions[p].Keys, _batches));
            foreach (var (right, line) in expected.Split('\n').Zip(found.Split('\n')))
                Assert.True(right == line, $"in partition {p} the model has '{right}', the store '{line}'");
        }

        await OnePlace.AssertAsync(_queue);
        for (var p = 0; p < Partitions; p++)
            await QueueSnapshot.SpreadAsync(_queue.Database, _queue.Partitions[p].Keys, _model[p]);
    }

    private async Task<(string Model, string Store)> ActAsync(QueueStep step)
    {
        var choice = step.Choice;
        var at = choice % Partitions;
        var worker = $"worker-{choice % 2}";
        switch (step.Verb)
        {
            case QueueVerb.Enqueue:
                var jobs = step.Picks.Select(pick => _jobs[pick % _jobs.Length] with { Lane = (Lane)((choice + pick) % 3), Delay = choice % 4 == 1 ? TimeSpan.FromHours(2) : TimeSpan.Zero }).ToList();
                return await HearWhatIsGivenAsync(Enqueue(jobs, choice % 5 == 0), Text(await _queue.Queue.EnqueueAsync(jobs, choice % 5 == 0)));
            case QueueVerb.Claim:
                return await ClaimAsync(at, _queue.NewToken(), step, repeated: false);
            case QueueVerb.Stand:
                return await ClaimAsync(at, _queue.NewToken(), step, repeated: false, stands: true);
            case QueueVerb.Withdraw when _stood.Count > 0:
                return await WithdrawAsync(_stood[step.Picks[0] % _stood.Count]);
            case QueueVerb.ClaimAgain:
                return _claims.Count == 0 ? ("", "") : await ClaimAsync(Pick(step)[0].Partition, Pick(step)[0].Token, step, repeated: true);
            case QueueVerb.Expire when Pick(step).Find(claim => _model[claim.Partition].IsInflight(claim.Job.Id)) is { } held:
                _model[held.Partition].Expire(held.Job.Id);
                await _queue.Database.SortedSetAddAsync(_queue.Partitions[held.Partition].Keys.Inflight, held.Job.Id, Past);
                return ("", "");
            case QueueVerb.LoseWorker:
                for (var p = 0; p < Partitions; p++)
                {
                    _model[p].LoseWorker(worker);
                    await _queue.Database.SortedSetAddAsync(_queue.Partitions[p].Keys.Workers, worker, 1);
                }

                return ("", "");
            case QueueVerb.Reclaim:
                return (Text(_model.Select(partition => partition.Reclaim())), Text(await Task.WhenAll(_queue.Partitions.Select(partition => partition.ReclaimAsync(CancellationToken.None)))));
            case QueueVerb.MakeDue:
                foreach (var id in Ids(step).Where(id => _model[Home(id)].MakeDue(id)))
                {
                    await _queue.Database.SortedSetAddAsync(_queue.Partitions[Home(id)].Keys.Delayed, id, Past);
                    await QueueSnapshot.SpreadAsync(_queue.Database, _queue.Partitions[Home(id)].Keys, _model[Home(id)]);
                }

                return ("", "");
            case QueueVerb.Overdue:
                foreach (var id in Ids(step).Where(id => _model[Home(id)].Knows(id)))
                {
                    _model[Home(id)].PassDeadline(id);
                    await _queue.Database.SortedSetAddAsync(_queue.Partitions[Home(id)].Keys.Deadlines, id, Past);
                }

                return ("", "");
            case QueueVerb.Sweep:
                return await SweepAsync(at, choice / 2 % QueuePartition.Places, worker);
            case QueueVerb.Redrive:
                return ($"{RedriveDead(Ids(step))}", $"{await _queue.Queue.RedriveDeadAsync(_queue.Name, Ids(step))}");
            case QueueVerb.RedriveAll:
                return ($"{RedriveDead([.. _model.SelectMany(partition => partition.Dead)])}", $"{await _queue.Queue.RedriveDeadAsync(_queue.Name, null)}");
            case QueueVerb.RedriveRows:
                var batch = _batches[at];
                List<(string Id, int Row)> rows = [.. step.Picks.Select(pick => ($"{batch}.{1 + (pick % 4)}", 1 + (pick % 4)))];
                return (Each(rows.Select(row => row.Id), (partition, ids) => partition.Redrive(ids, batch)), Text(await _queue.Queue.Batches.RedriveAsync(_queue.Name, batch, rows)));
            case QueueVerb.Purge:
                return ($"{Ids(step).GroupBy(Home).Sum(ids => _model[ids.Key].Purge(ids))}", $"{await _queue.Queue.PurgeDeadAsync(_queue.Name, Ids(step), null)}");
            case QueueVerb.PurgeAll:
                return ($"{_model.Sum(partition => partition.Purge([.. partition.Dead]))}", $"{await _queue.Queue.PurgeDeadAsync(_queue.Name, null, null)}");
            case QueueVerb.Cancel:
                return (Each(Ids(step), (partition, ids) => partition.Cancel(ids)), Text(await _queue.Queue.CancelAsync(_queue.Name, Ids(step))));
            case QueueVerb.CancelBatch:
                foreach (var partition in _model)
                    partition.Stop(_batches[at]);
                await _queue.Queue.Batches.CancelAsync(_batches[at]);
                return ("", "");
            case QueueVerb.Pause or QueueVerb.Resume:
                var paused = step.Verb == QueueVerb.Pause;
                foreach (var partition in _model)
                    partition.Pause(paused && _created);
                return ($"{_created}", $"{await (paused ? _queue.Queue.PauseAsync(_queue.Name) : _queue.Queue.ResumeAsync(_queue.Name))}");
            case QueueVerb.Forget:
                return await ForgetAsync(_batches[at]);
            default:
                return Pick(step) is { Count: > 0 } claims ? await SettleAsync(step, claims, _model[claims[0].Partition], _queue.Partitions[claims[0].Partition], worker) : ("", "");
        }
    }

    private static async Task<(string Model, string Store)> SettleAsync(QueueStep step, List<ClaimedJob> claims, ModelPartition model, QueuePartition store, string worker)
    {
        var choice = step.Choice;
        switch (step.Verb)
        {
            case QueueVerb.Renew:
                return (Text(model.Renew(worker, claims)), Text(await store.RenewAsync(worker, claims)));
            case QueueVerb.Complete:
                var state = choice % 6 == 0 ? EndState.Expired : choice % 6 == 1 ? EndState.Cancelled : EndState.Completed;
                return (Text(model.Complete(claims, state)), Text(await store.CompleteAsync([.. claims.Select(claim => (claim, state))])));
            case QueueVerb.Bury:
                return (Text(model.Bury(claims)), Text(await store.BuryAsync(claims)));
            case QueueVerb.Retry:
                var delay = choice % 2 == 0 ? TimeSpan.FromHours(2) : TimeSpan.Zero;
                return (Text(model.Retry(claims, choice, delay > TimeSpan.Zero)), Text(await store.RetryAsync([.. claims.Select(claim => (claim, choice, delay))])));
            case QueueVerb.Release:
                return (Text(model.Release(claims)), Text(await store.ReleaseAsync(claims)));
            default:
                return ("", "");
        }
    }

    private async Task<(string Model, string Store)> ClaimAsync(int at, string token, QueueStep step, bool repeated, bool stands = false)
    {
        var (most, lane, worker) = (1 + (step.Picks[0] % 4), (Lane)(step.Choice / 2 % 3), $"worker-{step.Choice % 2}");
        var standing = stands ? ModelPartition.Claim(token, worker) : null;
        var claim = await _queue.Partitions[at].ClaimAsync(most, token, worker, lane, repeated, standing);
        if (standing is not null)
            _stood.Add((at, standing));
        _claims.AddRange(claim.Jobs);
        Assert.Empty(claim.Unreadable);
        List<ModelJob> held = repeated ? _model[at].HeldBy(token) : [];
        var (jobs, paused, delayed) = held.Count > 0 ? (held, false, false) : _model[at].Claim(most, token, worker, lane, stands);
        return (
            Text(at, held.Count > 0 ? InOrder(held) : jobs) + $"; {paused} {delayed} {stands && !paused && jobs.Count == 0}",
            Text(held.Count > 0 ? InOrder(claim.Jobs) : claim.Jobs) + $"; {claim.Paused} {claim.NextDue is not null} {claim.Stands}");
    }

    private async Task<(string Model, string Store)> SweepAsync(int at, int place, string worker)
    {
        var token = _queue.NewToken();
        var (swept, next) = await _queue.Partitions[at].SweepAsync(token, worker, place, 0, repeated: false);
        _claims.AddRange(swept.Jobs);
        return (
            Text(at, _model[at].Sweep(place, token, worker).OrderBy(job => job.Id, StringComparer.Ordinal)) + "; -1",
            Text(swept.Jobs.OrderBy(job => job.Job.Id, StringComparer.Ordinal)) + $"; {next}");
    }

    private string Enqueue(List<Job> jobs, bool rerunEnded)
    {
        _created = true;
        var answers = new EnqueueOutcome[jobs.Count];
        foreach (var group in Enumerable.Range(0, jobs.Count).GroupBy(n => (Home(jobs[n].Id), jobs[n].Batch)))
        {
            foreach (var (n, answer) in group.Zip(_model[group.Key.Item1].Enqueue(group.Select(n => jobs[n]), group.Key.Batch, rerunEnded)))
                answers[n] = answer;
        }

        return Text(answers);
    }

    private int RedriveDead(List<string> ids) => ids.Distinct().GroupBy(id => (Home(id), _jobs.First(job => job.Id == id).Batch))
        .Sum(group => _model[group.Key.Item1].Redrive(group, group.Key.Batch).Count(waits => waits));

    /// <summary>What its only reader does: takes what has ended, and drops it, dead letters too.</summary>
    private async Task<(string Model, string Store)> ForgetAsync(string batch)
    {
        var follower = await _queue.Queue.Batches.FollowAsync(batch, [_queue.Name]);
        var read = await follower.ReadAsync();
        await follower.ForgetAsync([.. read]);
        var model = _model.SelectMany(partition => partition.Batch(batch).Finished).ToList();
        foreach (var partition in _model)
        {
            partition.Purge(model);
            partition.Batch(batch).Finished.Clear();
        }

        return (Text(model), Text(read));
    }

    private string Each(IEnumerable<string> ids, Func<ModelPartition, List<string>, List<bool>> act)
    {
        var list = ids.ToList();
        var answers = new bool[list.Count];
        foreach (var group in Enumerable.Range(0, list.Count).GroupBy(n => Home(list[n])))
        {
            foreach (var (n, answer) in group.Zip(act(_model[group.Key], [.. group.Select(n => list[n])])))
                answers[n] = answer;
        }

        return Text(answers);
    }

    private List<string> Ids(QueueStep step) => [.. step.Picks.Select(pick => _jobs[pick % _jobs.Length].Id)];

    /// <summary>Claims, old ones too, of one partition: a settle call goes to one. Picks count from the newest.</summary>
    private List<ClaimedJob> Pick(QueueStep step)
    {
        if (_claims.Count == 0)
            return [];
        var picked = step.Picks.Select(pick => _claims[_claims.Count - 1 - (pick % _claims.Count)]).ToList();
        return [.. picked.Where(claim => claim.Partition == picked[0].Partition)];
    }

    private static int Home(string id) => Names.PartitionOf(id, Partitions);

    private static string Text<T>(IEnumerable<T> answers) => string.Join(", ", answers);

    private async Task ClearAsync()
    {
        foreach (var keys in _queue.Partitions.Select(partition => partition.Keys))
        {
            await _queue.Database.KeyDeleteAsync((RedisKey[])
            [
                keys.Meta, keys.Jobs, .. keys.Waiting, keys.Delayed, keys.Inflight, keys.Leases, keys.Workers, keys.Dead, keys.Cancel, keys.Stopped, keys.Deadlines, keys.Standing,
                .. _batches.SelectMany(batch => (RedisKey[])[keys.Batch(batch), keys.Ended(batch), keys.Finished(batch)]),
            ]);
        }
    }
}
