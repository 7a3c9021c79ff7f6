using System.Text;
using static LlmPipeline.InputSample;

namespace LlmPipeline;

/// <summary>What the whole process allocates is measured here, so nothing else may run.</summary>
[CollectionDefinition(nameof(HoldingFewRows), DisableParallelization = true)]
[Collection(nameof(HoldingFewRows))]
public sealed class HoldingFewRows
{
    [Fact]
    public async Task A_line_of_50_megabytes_is_refused_without_being_held()
    {
        using var sample = new InputSample(BatchLine("a") + "\n");
        await using (var file = File.OpenWrite(sample.Path))
        {
            file.Seek(0, SeekOrigin.End);
            var block = Encoding.ASCII.GetBytes(new string('x', 1 << 20));
            for (var n = 0; n < 50; n++) await file.WriteAsync(block);
            await file.WriteAsync(Encoding.UTF8.GetBytes("\n" + BatchLine("a")));
        }

        var before = GC.GetTotalAllocatedBytes();
        var errors = await sample.ErrorsAsync(new InputOptions { DefaultModel = "m", MaxRowBytes = 1_000_000 });
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 25_000_000);
        Assert.Equal(["F:2: longer than 1000000 bytes", "F:3: custom_id: \"a\" is the name of line 1 already"], errors);
    }

    [Fact]
    public async Task Memory_does_not_grow_with_the_rows()
    {
        using var sample = new InputSample("");
        await using (var file = new StreamWriter(sample.Path))
        {
            for (var n = 0; n < 200_000; n++) await file.WriteAsync(BatchLine($"row-{n}") + "\n");
        }

        var input = InputFile.Open(sample.Path, Plain);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var summary = await input.CheckAsync();
        Assert.Equal(200_000, summary.Rows);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, -64_000_000, 8_000_000);

        long bytes = 0;
        await foreach (var row in input.ReadAsync())
        {
            bytes += row.Body.Length;
            if (row.Number % 50_000 == 0) Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, -64_000_000, 8_000_000);
        }

        Assert.Equal(200_000L * """{"model":"m","messages":[{"role":"user","content":"hi"}]}""".Length, bytes);
    }
}
