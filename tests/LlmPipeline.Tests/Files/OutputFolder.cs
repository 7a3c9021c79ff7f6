using System.Buffers;
using System.Diagnostics;
using System.Text;

namespace LlmPipeline.Tests;

/// <summary>A folder of its own for each test, and short words for what tests of outputs do.</summary>
public sealed class OutputFolder : IDisposable
{
    public const string Family = "b-00112233445566778899aabbccddeeff";
    public const string Rerun = Family + "-12345678";
    public const string Other = "b-ffffffffffffffffffffffffffffffff";
    public const string Synthetic = "sim-00112233445566778899aabbccddeeff";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("llmpipe-output-");

    public string Root => _folder.FullName;

    internal OutputPaths Paths => OutputPaths.For(At("in.jsonl"), At("out.jsonl"));

    public string At(string name) => Path.Combine(Root, name);

    /// <summary>The text of a file. A checkpoint may be locked, and .NET honours that where <c>cat</c> doesn't.</summary>
    public string Read(string name)
    {
        if (!name.EndsWith(".partial", StringComparison.Ordinal))
            return File.ReadAllText(At(name));
        using var cat = Process.Start(new ProcessStartInfo("cat", [At(name)]) { RedirectStandardOutput = true })!;
        return cat.StandardOutput.ReadToEnd();
    }

    public string[] Names() => [.. Directory.EnumerateFileSystemEntries(Root).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    public void Write(string name, params string[] texts) => File.WriteAllText(At(name), string.Concat(texts));

    public void Dispose() => _folder.Delete(recursive: true);

    internal Task<OutputFile> OpenAsync(OutputOptions? options = null, OutputBatch? batch = null, OutputDisk? disk = null, OutputPaths? paths = null) =>
        OutputFile.OpenAsync(paths ?? Paths, batch ?? Batch(), options ?? new OutputOptions(), disk ?? new OutputDisk(), CancellationToken.None);

    internal async Task<OutputException> RefusedAsync(OutputOptions? options = null, OutputBatch? batch = null, OutputPaths? paths = null)
    {
        OutputException e = await Assert.ThrowsAsync<OutputException>(async () => await (await OpenAsync(options, batch, paths: paths)).DisposeAsync());
        Assert.True(e.Refused, e.Message);
        Assert.DoesNotContain('\n', e.Message);
        return e;
    }

    internal static OutputBatch Batch(string id = Family, params string[] replaceable) =>
        new() { Id = id, Family = id == Rerun ? Family : id, ReplaceableFamilies = replaceable };

    internal static OutputLine Completion(int row, string text = "yes", string batch = Family) => new()
    {
        JobId = $"{batch}.{row}",
        CustomId = $"line-{row}",
        StatusCode = 200,
        RequestId = "req_1",
        Body = Encoding.UTF8.GetBytes($$$"""{"choices":[{"message":{"content":"{{{text}}} {{{row}}}"}}]}"""),
    };

    internal static OutputLine Failure(int row, string message = "no", string batch = Family) => new()
    {
        JobId = $"{batch}.{row}",
        CustomId = $"line-{row}",
        StatusCode = 400,
        Body = Encoding.UTF8.GetBytes($$$"""{"error":{"message":"{{{message}}} {{{row}}}"}}"""),
    };

    internal static string Text(OutputLine line)
    {
        var buffer = new ArrayBufferWriter<byte>();
        line.WriteTo(buffer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    internal static string Lines(Func<int, OutputLine> line, params int[] rows) => string.Concat(rows.Select(row => Text(line(row))));

    /// <summary>One run: opens, appends, finishes.</summary>
    internal async Task RunAsync(int rows, IEnumerable<OutputLine> lines, OutputOptions? options = null, OutputBatch? batch = null)
    {
        await using OutputFile output = await OpenAsync(options, batch);
        foreach (OutputLine line in lines)
            output.Append(line);
        await output.FlushAsync(CancellationToken.None);
        await output.FinishAsync(rows, CancellationToken.None);
    }
}
