using System.Net.ServerSentEvents;
using System.Text;

namespace LlmPipeline.Tests;

/// <summary><see cref="EventStream"/> before the strict parser of <see cref="SseParser"/>.</summary>
public sealed class SendingEvents
{
    private static List<(string Name, string Data)> Read(string text) =>
        [.. SseParser.Create(new MemoryStream(Encoding.UTF8.GetBytes(text))).Enumerate().Select(item => (item.EventType, item.Data))];

    [Fact]
    public void Data_of_any_characters_arrives_as_it_was_sent()
    {
        foreach (var text in SanitizingText.AllOfUnicode())
        {
            // A line ends with any of the three, and arrives with a line feed; half a surrogate pair has no UTF-8.
            var sent = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text.Replace("\r\n", "\n").Replace('\r', '\n')));

            Assert.Equal(("message", sent), Assert.Single(Read(EventStream.Text(null, text))));
            Assert.Equal(("message", $"{{\"text\":\"{sent}\"}}"), Assert.Single(Read(EventStream.Text(null, $"{{\"text\":\"{text}\"}}"))));
        }
    }

    [Theory]
    [InlineData("one\r\ntwo\rthree\nfour", "one\ntwo\nthree\nfour")]
    [InlineData("\n", "\n")]
    [InlineData("\r\n\r\n", "\n\n")]
    [InlineData(" two blanks before, one behind ", " two blanks before, one behind ")]
    [InlineData("data: x\n: comment\nevent: y", "data: x\n: comment\nevent: y")]
    [InlineData("\u2028a\u2029b\u0085c\fd\ve", "\u2028a\u2029b\u0085c\fd\ve")]
    public void A_line_ends_at_cr_and_lf_and_nowhere_else(string data, string arrived) =>
        Assert.Equal(("x", arrived), Assert.Single(Read(EventStream.Text("x", data))));

    [Fact]
    public void A_name_of_any_characters_is_one_line()
    {
        foreach (var text in SanitizingText.AllOfUnicode())
            Assert.Equal((SafeText.Line(text, 128), "{}"), Assert.Single(Read(EventStream.Text(text, "{}"))));

        Assert.Equal(("response.x data: injected", "{}"), Assert.Single(Read(EventStream.Text("response.x\n\ndata: injected\n\n", "{}"))));
        Assert.Equal(("message", "{}"), Assert.Single(Read(EventStream.Text(" \r\n", "{}"))));
    }
}
