using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe doctor</c>.</summary>
internal static class DoctorCommand
{
    private const string Help =
        """
        Examine the queues on a live Redis: every job in exactly one place, every claim with its token, counts that agree with
        what has ended, no row of a batch gone. With --repair what is found is mended; rows that Redis has lost are told again until
        they are submitted again. It may run while workers do.

        First it tells, on standard error, what is unsafe in how the Redis is set up (eviction, persistence, replicas, version), and what its user may not do.

        --answers looks at completions instead: those of a batch, or of the results file of a run. It names each that holds no
        answer, as earlier versions took errors with HTTP 200 and streams that were cut off for completions. With --repair
        those of a batch count as failed from then on; 'submit --retry-failed' of the same file runs them again. Of a file
        nothing is changed: 'run INPUT --retry-failed' runs these rows again.

        Examples:
          llmpipe doctor --redis redis.internal:6379
          llmpipe doctor --repair --queue gpt-4o-mini
          llmpipe doctor --answers b-0123456789abcdef0123456789abcdef --repair
          llmpipe doctor --answers rows.results.jsonl

        Exit codes: 0 nothing is wrong, or all was mended; 1 something is; 2 bad usage.
        """;

    private static readonly Option<bool> Repair = new("--repair") { Description = "Mend what is found." };
    private static readonly Option<string?> Queue = new("--queue") { Description = "Only this queue.", HelpName = "Q" };

    private static readonly Option<string?> Answers = new("--answers")
    {
        Description = "Look for completions of this batch, or of this results file, that hold no answer.",
        HelpName = "BATCH|FILE",
    };

    public static Command Create() => FleetCommand.Create("doctor", Help, [Repair, Queue, Answers], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        if (call.Line.GetValue(Answers) is { } answers)
            return await ExamineAnswersAsync(call, answers, cancellationToken).ConfigureAwait(false);
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var named = call.Line.GetValue(Queue);
        var queues = await fleet.QueuesAsync(named, cancellationToken).ConfigureAwait(false);
        // Those of runs too.
        if (named is null)
            queues = [.. queues, .. await fleet.AnsweredAsync(fleet.Queue.Private.ListAsync, cancellationToken).ConfigureAwait(false)];
        if (named is null)
            queues = [.. queues.Union(await QueuesOfBatchesAsync(fleet, cancellationToken).ConfigureAwait(false))];
        var unsafeSettings = await RedisPreflight.CheckAsync(fleet.Redis.Connections).ConfigureAwait(false);
        var needs = FleetNeeds.Of(queues, fleet.Queue.Options.KeyPrefix, fleet.Results.Options.KeyPrefix, call.Settings.QuotaPrefix);
        var missing = await RedisPermissions.MissingAsync(fleet.Redis.Connections, needs, cancellationToken).ConfigureAwait(false);
        foreach (var line in missing)
            FleetCall.Say($"not permitted: {line}");
        foreach (var line in unsafeSettings)
            FleetCall.Say($"unsafe: {line}");
        var closed = (await DeploymentState.ReadAsync(fleet, cancellationToken).ConfigureAwait(false)).Where(one => !one.IsOpen).ToList();
        foreach (var line in DeploymentState.Closed(closed))
            FleetCall.Say(line);
        var doctor = new QueueDoctor(fleet.Redis.Connections, fleet.Queue.Options, fleet.Time);
        var reports = new List<(string Queue, DoctorReport Report)>();
        foreach (var queue in queues)
            reports.Add((queue, await doctor.ExamineAsync(queue, call.Line.GetValue(Repair), cancellationToken).ConfigureAwait(false)));
        // Those of all queues, which have to be added up.
        var lost = await fleet.AnsweredAsync(() => doctor.FindLostRowsAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
        var left = lost.Count + reports.Sum(r => r.Report.Findings.Count(finding => !finding.Repaired));
        if (call.Json)
            Console.Out.WriteLine(FleetJson.Of(new { Unsafe = unsafeSettings, NotPermitted = missing, Left = left, Closed = closed, Queues = reports.Select(r => new { r.Queue, r.Report.Jobs, r.Report.Findings }), Batches = lost }));
        else
            Tell(reports, lost);
        return left > 0 || missing.Count > 0 ? ExitCodes.Broke : ExitCodes.Done;
    }

    // Where the sets of queues are lost, the batches still name them.
    private static async Task<IEnumerable<string>> QueuesOfBatchesAsync(Fleet fleet, CancellationToken cancellationToken)
    {
        var queues = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var id in await fleet.AnsweredAsync(fleet.Queue.Batches.ListAsync, cancellationToken).ConfigureAwait(false))
        {
            if (await fleet.FindBatchAsync(id, cancellationToken).ConfigureAwait(false) is { } batch)
                queues.UnionWith(batch.Queues.Where(queue => !PrivateQueue.Is(queue)));
        }

        return queues;
    }

    private static async Task<int> ExamineAnswersAsync(FleetCall call, string answers, CancellationToken cancellationToken)
    {
        if (call.Line.GetValue(Queue) is not null)
            throw CliException.Usage("--queue: a batch or a file is looked at as a whole, without --queue");
        var isFile = File.Exists(answers);
        if (isFile && call.Line.GetValue(Repair))
            throw CliException.Usage($"--repair: {answers} is not changed; run INPUT --retry-failed runs the rows again that hold no answer");
        AnswersReport report;
        if (isFile)
        {
            report = AnswerDoctor.OfFile(answers, cancellationToken);
        }
        else
        {
            await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
            var batch = await fleet.BatchAsync(answers, cancellationToken).ConfigureAwait(false);
            report = await AnswerDoctor.OfBatchAsync(
                fleet, batch, call.Line.GetValue(Repair), cancellationToken).ConfigureAwait(false);
        }

        if (call.Json)
            Console.Out.WriteLine(FleetJson.Of(report));
        foreach (var finding in call.Json ? [] : report.Findings)
            Console.Out.WriteLine(SafeText.Printable($"{finding.Id}: {finding.What}{(finding.Repaired ? " (counts as failed now)" : "")}"));
        FleetCall.Say(report.Findings.Count == 0
            ? $"{answers}: {RunConsole.Text(report.Completions)} completions, each holds an answer"
            : $"{answers}: {RunConsole.Text(report.Findings.Count)} of {RunConsole.Text(report.Completions)} completions hold no answer; "
                + (isFile ? "'run INPUT --retry-failed' runs these rows again"
                    : "'submit --retry-failed' of the same file runs them again" + (report.Left > 0 ? ", once --repair has marked them" : "")));
        return report.Left > 0 ? ExitCodes.Broke : ExitCodes.Done;
    }

    private static void Tell(List<(string Queue, DoctorReport Report)> reports, IReadOnlyList<DoctorFinding> lost)
    {
        foreach (var (queue, report) in reports)
        {
            foreach (var finding in report.Findings)
                Console.Out.WriteLine(SafeText.Printable($"{queue}: {(finding.Id is null ? "" : finding.Id + ": ")}{finding.What}{(finding.Repaired ? " (mended)" : "")}"));
            FleetCall.Say($"queue {queue}: {RunConsole.Text(report.Jobs)} jobs, {(report.Findings.Count == 0 ? "nothing is wrong" : $"{RunConsole.Text(report.Findings.Count)} findings, {RunConsole.Text(report.Findings.Count(f => !f.Repaired))} of them left")}");
        }

        foreach (var finding in lost)
            Console.Out.WriteLine(SafeText.Printable($"batch {finding.Id}: {finding.What}"));
        if (reports.Count == 0)
            FleetCall.Say("there are no queues and no batches: nothing was submitted to this Redis, or it has lost everything");
    }
}
