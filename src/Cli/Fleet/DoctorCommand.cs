using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe doctor</c>.</summary>
internal static class DoctorCommand
{
    private const string Help =
        """
        Examine the queues on a live Redis: every job in exactly one place, every claim with its token, counts that agree with
        what has ended. With --repair what is found is mended. It may run while workers do.

        First it tells, on standard error, what is unsafe in how the Redis is set up (eviction, persistence, replicas, version).

        Examples:
          llmpipe doctor --redis redis.internal:6379
          llmpipe doctor --repair --queue gpt-4o-mini

        Exit codes: 0 nothing is wrong, or all was mended; 1 something is; 2 bad usage.
        """;

    private static readonly Option<bool> Repair = new("--repair") { Description = "Mend what is found." };
    private static readonly Option<string?> Queue = new("--queue") { Description = "Only this queue.", HelpName = "Q" };

    public static Command Create() => FleetCommand.Create("doctor", Help, [Repair, Queue], ExecuteAsync);

    private static async Task<int> ExecuteAsync(FleetCall call, CancellationToken cancellationToken)
    {
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var queues = await fleet.QueuesAsync(call.Line.GetValue(Queue), cancellationToken).ConfigureAwait(false);
        var unsafeSettings = await RedisPreflight.CheckAsync(fleet.Redis.Connections).ConfigureAwait(false);
        foreach (var line in unsafeSettings)
            FleetCall.Say($"unsafe: {line}");
        var closed = (await DeploymentState.ReadAsync(fleet, cancellationToken).ConfigureAwait(false)).Where(one => !one.IsOpen).ToList();
        foreach (var line in DeploymentState.Closed(closed))
            FleetCall.Say(line);
        var doctor = new QueueDoctor(fleet.Redis.Connections, fleet.Queue.Options, fleet.Time);
        var reports = new List<(string Queue, DoctorReport Report)>();
        foreach (var queue in queues)
            reports.Add((queue, await doctor.ExamineAsync(queue, call.Line.GetValue(Repair), cancellationToken).ConfigureAwait(false)));
        var left = reports.Sum(r => r.Report.Findings.Count(finding => !finding.Repaired));
        if (call.Json)
            Console.Out.WriteLine(FleetJson.Of(new { Unsafe = unsafeSettings, Left = left, Closed = closed, Queues = reports.Select(r => new { r.Queue, r.Report.Jobs, r.Report.Findings }) }));
        else
            Tell(reports);
        return left > 0 ? ExitCodes.Broke : ExitCodes.Done;
    }

    private static void Tell(List<(string Queue, DoctorReport Report)> reports)
    {
        foreach (var (queue, report) in reports)
        {
            foreach (var finding in report.Findings)
                Console.Out.WriteLine($"{queue}: {(finding.Id is null ? "" : finding.Id + ": ")}{finding.What}{(finding.Repaired ? " (mended)" : "")}");
            FleetCall.Say($"queue {queue}: {RunConsole.Text(report.Jobs)} jobs, {(report.Findings.Count == 0 ? "nothing is wrong" : $"{RunConsole.Text(report.Findings.Count)} findings, {RunConsole.Text(report.Findings.Count(f => !f.Repaired))} of them left")}");
        }

        if (reports.Count == 0)
            FleetCall.Say("there are no queues to examine");
    }
}
