using System.Text;
using System.Text.Json;

namespace LlmPipeline;

public sealed class EnvelopesOfJobs
{
    private static readonly Dictionary<string, string> Odd = new()
    {
        ["plain"] = "text",
        ["empty"] = "",
        ["markup"] = "<message role=\"system\">&amp;</message> {{$x}} 'quotes' \\ \"",
        ["emoji"] = "😀 日本語\u2028",
        ["control"] = "\0\u0001\t\r\n\u001b",
        [""] = "no name",
    };

    [Fact]
    public void A_request_with_every_field_comes_back_as_it_was()
    {
        var job = Full(new RequestWork { Path = "/v1/embeddings", Body = Encoding.UTF8.GetBytes("{\"input\":\"é\"}") });
        var back = Envelope.Decode(job.Queue, job.Id, Envelope.Encode(job));
        Assert.Equal(((RequestWork)job.Work).Body.ToArray(), ((RequestWork)back.Work).Body.ToArray());
        Assert.Equal("/v1/embeddings", ((RequestWork)back.Work).Path);
        AssertSame(job, back);
    }

    [Fact]
    public void A_prompt_with_every_field_comes_back_as_it_was()
    {
        using var settings = JsonDocument.Parse("""{"temperature":0.30,"stop":["a","é"],"n":null,"deep":{"x":[1,2,{"y":1e400}]}}""");
        var work = new PromptWork
        {
            Function = "solve-math",
            Sha = "ab12",
            Variables = Odd,
            System = "Be terse.\n\"Now\"",
            Settings = settings.RootElement.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.Clone()),
        };
        var back = (PromptWork)Envelope.Decode("q", "id", Envelope.Encode(Full(work))).Work;
        Assert.Equal(work.Variables, back.Variables);
        Assert.Equal((work.Function, work.Sha, work.System), (back.Function, back.Sha, back.System));
        Assert.Equal(work.Settings.ToDictionary(s => s.Key, s => s.Value.GetRawText()), back.Settings!.ToDictionary(s => s.Key, s => s.Value.GetRawText()));
    }

    [Fact]
    public void What_was_left_out_is_left_out()
    {
        var job = new Job { Id = "id", Queue = "q", Work = new PromptWork { Function = "f", Sha = "s", Variables = new Dictionary<string, string>() } };
        var back = Envelope.Decode("q", "id", Envelope.Encode(job));
        AssertSame(job with { Enqueued = DateTimeOffset.UnixEpoch }, back with { Enqueued = DateTimeOffset.UnixEpoch });
        var work = Assert.IsType<PromptWork>(back.Work);
        Assert.Empty(work.Variables);
        Assert.Null(work.System);
        Assert.Null(work.Settings);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(16_383)]
    [InlineData(16_384)]
    [InlineData(3_000_000)]
    public void A_head_of_any_length_leaves_the_body_whole(int length)
    {
        var job = new Job { Id = "id", Queue = "q", CustomId = new string('c', length), Work = new RequestWork { Path = "/", Body = new byte[] { 1, 2, 3, 0 } } };
        for (var more = 0; more < 40; more += length > 20_000 ? 40 : 1)
        {
            var longer = job with { CustomId = job.CustomId + new string('d', more) };
            var back = Envelope.Decode("q", "id", Envelope.Encode(longer));
            Assert.Equal(longer.CustomId, back.CustomId);
            Assert.Equal([1, 2, 3, 0], ((RequestWork)back.Work).Body.ToArray());
        }
    }

    [Fact]
    public void The_first_byte_is_the_lane()
    {
        foreach (var lane in Enum.GetValues<Lane>())
        {
            var envelope = Envelope.Encode(Full(new RequestWork { Path = "/", Body = default }) with { Lane = lane });
            Assert.Equal("123"[(int)lane], (char)envelope[0]);
            Assert.Equal(lane, Envelope.Decode("q", "id", envelope).Lane);
        }
    }

    [Fact]
    public void Text_that_is_not_ascii_costs_its_own_bytes_and_no_escapes()
    {
        var text = new string('語', 1000);
        var job = new Job { Id = "id", Queue = "q", Work = new PromptWork { Function = "f", Sha = "s", Variables = new Dictionary<string, string> { ["x"] = text } } };
        Assert.InRange(Envelope.Encode(job).Length, 3000, 3100);
    }

    [Fact]
    public void An_envelope_cut_anywhere_or_with_any_byte_changed_is_read_or_refused_but_breaks_nothing()
    {
        var whole = Envelope.Encode(Full(new PromptWork { Function = "f", Sha = "s", Variables = Odd }));
        for (var length = 0; length < whole.Length; length++)
            Assert.Throws<FormatException>(() => Envelope.Decode("q", "id", whole.AsMemory(0, length)));
        for (var at = 0; at < whole.Length; at++)
        {
            foreach (var value in (byte[])[0, 0x31, 0x7f, 0x80, 0xff, (byte)'-', (byte)'9'])
            {
                var changed = (byte[])whole.Clone();
                changed[at] = value;
                var thrown = Record.Exception(() => Envelope.Decode("q", "id", changed));
                Assert.True(thrown is null or FormatException, $"byte {at} = {value}: {thrown}");
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("2")]
    [InlineData("21")]
    [InlineData("211")]
    [InlineData("4102{}")]
    [InlineData("22\u0002{}")]
    [InlineData("21\u0002{}")]
    [InlineData("21\u0004null")]
    [InlineData("21\u0002[]")]
    [InlineData("21\u0021{\"p\":\"/\",\"d\":9223372036854775807}")]
    [InlineData("21\u0021{\"p\":\"/\",\"t\":9223372036854775807}")]
    public void What_is_no_envelope_is_refused_without_quoting_it(string text)
    {
        var refused = Assert.Throws<FormatException>(() => Envelope.Decode("q", "the-id", Encoding.Latin1.GetBytes(text)));
        Assert.Contains("the-id", refused.Message, StringComparison.Ordinal);
        Assert.Null(refused.InnerException);
    }

    [Fact]
    public void A_length_that_overflows_is_refused() =>
        Assert.Throws<FormatException>(() => Envelope.Decode("q", "id", new byte[] { (byte)'2', (byte)'1', 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 1 }));

    private static Job Full(JobWork work) => new()
    {
        Id = "id",
        Queue = "q",
        Work = work,
        Lane = Lane.Low,
        Batch = "b-1",
        Row = 17,
        CustomId = "own \"name\" 😀",
        MaxAttempts = 3,
        AttemptTimeout = TimeSpan.FromSeconds(2.5),
        Deadline = DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_000_001),
        Enqueued = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_999),
        Metadata = Odd,
        TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };

    private static void AssertSame(Job job, Job back)
    {
        Assert.Equal(job.Metadata, back.Metadata);
        Assert.Equal(job with { Work = back.Work, Metadata = back.Metadata }, back);
    }
}
