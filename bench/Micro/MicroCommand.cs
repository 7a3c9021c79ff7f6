using System.CommandLine;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace LlmPipeline.Bench;

/// <summary><c>micro</c>: parts of the project by BenchmarkDotNet, in this process.</summary>
internal static class MicroCommand
{
    public static Command Create()
    {
        var filter = new Option<string[]>("--filter") { Description = "Only benchmarks of these names, as BenchmarkDotNet has it; repeatable.", HelpName = "GLOB", DefaultValueFactory = _ => ["*"] };
        var command = new Command("micro", "Time and allocations of parts: round trips of scripts to a redis-server of their own, envelopes, counting tokens, acquiring quota.") { filter };
        command.SetAction(parsed =>
        {
            // Its files go where what a build makes goes; the table is on the console too.
            var config = ManualConfig.CreateEmpty()
                .WithArtifactsPath(Path.Join(Words.Repository(), ".build", "micro"))
                .AddLogger(ConsoleLogger.Default)
                .AddColumnProvider(DefaultColumnProviders.Instance)
                .AddExporter(MarkdownExporter.GitHub)
                .AddDiagnoser(MemoryDiagnoser.Default)
                .AddJob(BenchmarkDotNet.Jobs.Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(3).WithIterationCount(12));
            var reports = BenchmarkSwitcher.FromAssembly(typeof(MicroCommand).Assembly).Run(["--filter", .. parsed.GetRequiredValue(filter)], config).SelectMany(summary => summary.Reports).ToList();
            return reports.Count > 0 && reports.TrueForAll(report => report.Success) ? 0 : 1;
        });
        return command;
    }
}
